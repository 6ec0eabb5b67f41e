// PyTorch's files of pickles: any bytes are weights or an Error.
#include "fuzz/target.hpp"
#include "fuzz/touch.hpp"
#include "lockstep/weights/torch_file.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  static const fuzz::Folder folder;
  const std::filesystem::path file = folder.write("weights", {data, size});
  return fuzz::run([&] { fuzz::touch(read_torch_legacy(file)); });
}

// images.h5: any bytes are a table or an Error.
#include "fuzz/target.hpp"
#include "lockstep/data/image_table.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  static const fuzz::Folder folder;
  const std::filesystem::path file = folder.write("images.h5", {data, size});
  return fuzz::run([&] { read_image_table(file); });
}

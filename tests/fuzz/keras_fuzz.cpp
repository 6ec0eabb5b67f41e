// Keras' HDF5 files: any bytes are weights or an Error, as they lie and converted. HDF5's own parser is part of what is
// tried.
#include "fuzz/target.hpp"
#include "fuzz/touch.hpp"
#include "lockstep/weights/keras_file.hpp"

/// Byte 0: what is asked for.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  static const fuzz::Folder folder;
  if (size == 0) return 0;
  const std::filesystem::path file = folder.write("weights.h5", {data + 1, size - 1});
  constexpr std::string_view models[] = {"squeezenet1_1", "xception", "vgg16"};
  const std::size_t asked = data[0] % 4;
  return fuzz::run([&] { fuzz::touch(asked == 3 ? read_keras_as_stored(file) : read_keras(file, models[asked])); });
}

// IDX files, plain and gzipped, of images and of labels: what is read has as many bytes as its shape says.
#include "fuzz/target.hpp"
#include "preprocess/idx.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  static const fuzz::Folder folder;
  const std::filesystem::path file = folder.write("images", {data, size});
  for (const std::size_t axes : {1u, 3u}) {
    fuzz::run([&] {
      const preprocess::IdxArray array = preprocess::read_idx(file, axes);
      std::size_t volume = 1;
      for (const std::int64_t length : array.shape) volume *= static_cast<std::size_t>(length);
      if (array.shape.size() != axes || volume != array.values.size()) std::abort();
    });
  }
  return 0;
}

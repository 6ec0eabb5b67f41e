// CIFAR-100's binary files and names: what is listed can be read.
#include <algorithm>
#include <vector>

#include "fuzz/target.hpp"
#include "preprocess/cifar.hpp"

/// Byte 0: how many bytes of the rest are the file of names; what is left are records.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  static const fuzz::Folder folder;
  if (size == 0) return 0;
  const std::span<const std::uint8_t> rest(data + 1, size - 1);
  const std::size_t names = std::min<std::size_t>(data[0] * 8u, rest.size());
  folder.write("train.bin", rest.subspan(names));
  folder.write("test.bin", std::vector<std::uint8_t>(3074));
  std::filesystem::remove(folder.path() / "fine_label_names.txt");
  if (names > 0) folder.write("fine_label_names.txt", rest.first(names));
  return fuzz::run([&] {
    preprocess::CifarSource source(folder.path(), preprocess::CifarKind::cifar100);
    const preprocess::Listing listing = source.list();
    for (std::size_t id = 0; id < listing.candidates.size(); ++id)
      source.picture(static_cast<std::int64_t>(id), listing.candidates[id], {3, 0, {32, 32}});
  });
}

// Shards: what opens can be read, every image of it. HDF5's own parser is part of what is tried, as it is what opens
// them.
#include <algorithm>
#include <vector>

#include "fuzz/target.hpp"
#include "lockstep/data/shard.hpp"

/// Byte 0: what the manifest says of the shard that the rest is: samples, store, weights.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  static const fuzz::Folder folder;
  if (size == 0) return 0;
  const std::filesystem::path file = folder.write("shard.h5", {data + 1, size - 1});
  ShardEntry entry;
  entry.samples = data[0] & 15;
  entry.bytes = static_cast<std::int64_t>(size - 1);
  const ShardFormat format{{4, 5, 3}, (data[0] & 16) != 0 ? Store::jpeg : Store::raw, (data[0] & 32) != 0};
  return fuzz::run([&] {
    const Shard shard(file, entry, format, 3);
    for (std::int64_t i = 0; i < shard.samples(); ++i) {
      if (shard.label(i) < -1 || shard.label(i) > 2 || !(shard.weight(i) >= 0)) std::abort();
      std::vector<std::uint8_t> image(std::min<std::uint64_t>(shard.place(i).bytes, 1 << 20));
      shard.read(i, image);
    }
  });
}

// Stored samples read ahead in large blocks, for storage that is slow at random access (window_order()).
//
// A thread of its own reads the blocks that the announced samples lie in, each in one piece, in the order of their
// first use; a block's memory is reused when its last announced sample has been used. Memory: `ahead` bytes, and beyond
// that only what samples that are waited for need. announce() is called by one thread at a time, the rest by any. What
// the reading thread meets, the next read() throws. Only announced samples may be read, each as often as announced,
// one read() and one has_read() each time.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lockstep/data/data_set.hpp"
#include "lockstep/data/stored_samples.hpp"

namespace lockstep {

class BlockReader : public StoredSamples {
 public:
  /// `split` must outlive it. `blocks`: all of split.blocks(…).
  BlockReader(const DataSplit& split, std::vector<Range> blocks, std::size_t ahead);
  ~BlockReader() override;

  /// These samples will be read next, about in this order.
  void announce(std::span<const std::int64_t> positions);

  ImageShape shape() const override;
  Store store() const override;
  std::size_t stored_bytes(std::int64_t position) const override;
  /// Waits until the sample's block is there.
  void read(std::int64_t position, std::span<std::uint8_t> into, std::uint64_t first = 0) const override;
  std::string whereabouts(std::int64_t position) const override;
  void has_read(std::int64_t position) const override;

  /// Bytes of the blocks that it holds now.
  std::size_t held_bytes() const;
  /// The most bytes it has held at a time.
  std::size_t peak_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep

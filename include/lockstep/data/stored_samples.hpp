// Where the stored bytes of samples come from: a split's shards, or memory that has read them ahead.
//
// A sample's bytes are rows of interleaved channels (Store::raw) or a JPEG file (Store::jpeg), both of shape(). All
// functions may be called from any number of threads. Errors: those of Shard.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "lockstep/data/manifest.hpp"

namespace lockstep {

class StoredSamples {
 public:
  virtual ~StoredSamples() = default;
  virtual ImageShape shape() const = 0;
  virtual Store store() const = 0;
  /// Bytes that a sample takes: shape().bytes(), or its JPEG file's.
  virtual std::size_t stored_bytes(std::int64_t position) const = 0;
  /// Fills `into` with stored bytes of one sample, from its byte `first` on.
  virtual void read(std::int64_t position, std::span<std::uint8_t> into, std::uint64_t first = 0) const = 0;
  /// Names a sample in errors: its shard and id, where there are some.
  virtual std::string whereabouts(std::int64_t position) const { return "sample " + std::to_string(position); }
  /// A hint that this sample is read soon.
  virtual void will_read(std::int64_t) const {}
  /// That one use of the sample is over: what was kept for it may go.
  virtual void has_read(std::int64_t) const {}
};

}  // namespace lockstep

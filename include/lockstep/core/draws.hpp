// Random draws as pure functions of their coordinates instead of a stream with a state.
//
// A draw is named by (seed, purpose, a, b, c): the same name gives the same bits on every rank, thread and resume, in
// any order of asking. Generator: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2,
// 3", SC 2011), checked in the tests against the vectors of its authors. Thread-safe: no state at all.
#pragma once
#include <array>
#include <cstdint>

namespace lockstep {

using PhiloxBlock = std::array<std::uint32_t, 4>;

/// The Philox4x32-10 bijection: 128 bits of counter and 64 bits of key to 128 random bits.
constexpr PhiloxBlock philox(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(p0)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// What a draw is for. Part of every draw's name, so that two uses never share bits. Values are part of the
/// reproducibility promise: append, never renumber.
enum class Purpose : std::uint32_t {
  shuffle = 1,
  augmentation = 2,
  dropout = 3,
  initial_weights = 4,
  split = 5,
  generated_images = 6,
  mixing = 7,
  bootstrap = 8,
};

/// The coordinate of something that happens in an epoch for the `copy`-th time, counted from 0: the epoch itself for
/// what happens once.
constexpr std::uint64_t draw_coordinate(std::int64_t epoch, std::int32_t copy) {
  return static_cast<std::uint64_t>(epoch) ^ (static_cast<std::uint64_t>(copy) << 36);
}

/// Uniform double in [0, 1) from 53 of the given 64 bits.
constexpr double unit_interval(std::uint32_t high, std::uint32_t low) {
  return static_cast<double>(((std::uint64_t{high} << 32) | low) >> 11) * 0x1.0p-53;
}

/// The draws of one coordinate: a counted sequence, for code that needs several numbers of one thing (an augmentation).
/// A value of 40 bytes; each next…() is a pure function of the constructor's arguments and of how many came before.
class Draws {
 public:
  /// `a`, `b`: the coordinates (epoch and sample id, for example).
  constexpr Draws(std::uint64_t seed, Purpose purpose, std::uint64_t a, std::uint64_t b = 0)
      : key0_(static_cast<std::uint32_t>(seed)), key1_(static_cast<std::uint32_t>(seed >> 32)) {
    // 64 + 64 bits of coordinates and 32 of purpose do not fit beside a position in 128 bits of counter: one block maps
    // them onto a key of their own.
    const PhiloxBlock mixed = philox({static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(a >> 32),
                                      static_cast<std::uint32_t>(b), static_cast<std::uint32_t>(b >> 32)},
                                     key0_ ^ (static_cast<std::uint32_t>(purpose) * 0x85EBCA6Bu), key1_);
    key0_ = mixed[0];
    key1_ = mixed[1];
    stream_ = (std::uint64_t{mixed[2]} << 32) | mixed[3];
  }

  /// 64 random bits.
  constexpr std::uint64_t next() {
    const std::uint64_t block = position_ / 2;
    const PhiloxBlock bits = at(block);
    const bool second = (position_++ & 1) != 0;
    return second ? (std::uint64_t{bits[2]} << 32) | bits[3] : (std::uint64_t{bits[0]} << 32) | bits[1];
  }
  /// Uniform in [0, 1).
  constexpr double uniform() {
    const std::uint64_t bits = next();
    return unit_interval(static_cast<std::uint32_t>(bits >> 32), static_cast<std::uint32_t>(bits));
  }
  /// Uniform in [low, high).
  constexpr double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform integer in [0, bound), exactly unbiased (rejection). bound >= 1.
  constexpr std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    std::uint64_t bits = next();
    while (bits >= limit) bits = next();
    return bits % bound;
  }
  /// Block number `index` of this coordinate, for bulk use: four times 32 bits, independent of next().
  constexpr PhiloxBlock at(std::uint64_t index) const {
    return philox({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                   static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)},
                  key0_, key1_);
  }

  /// What at() mixes with the index: key (low, high), stream (low, high). For code that computes blocks by other means.
  constexpr std::array<std::uint32_t, 4> coordinates() const {
    return {key0_, key1_, static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)};
  }

 private:
  std::uint32_t key0_, key1_;
  std::uint64_t stream_ = 0;
  std::uint64_t position_ = 0;
};

}  // namespace lockstep

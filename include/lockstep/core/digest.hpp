// XXH64 digests (xxHash, seed 0) of bytes and of values, to compare files with a manifest and plans between ranks.
//
// Not cryptographic: finds damage and disagreement, not malice. A Digest is used by one thread at a time.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace lockstep {

class Digest {
 public:
  Digest();
  ~Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;

  Digest& add(std::span<const std::uint8_t> bytes);
  /// The length is digested first, so that ("ab", "c") and ("a", "bc") differ.
  Digest& add(std::string_view text);
  template <typename Number>
  requires std::is_arithmetic_v<Number> Digest& add(Number value) {
    return add(std::span(reinterpret_cast<const std::uint8_t*>(&value), sizeof value));
  }

  std::uint64_t value() const;
  /// value() as 16 lower-case hexadecimal digits, as the manifest keeps it.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Digest of a whole file, read in blocks. Errors: missing or unreadable file.
std::string file_digest(const std::filesystem::path& path);

}  // namespace lockstep

#include "lockstep/core/digest.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <vector>

#include "lockstep/core/files.hpp"

namespace lockstep {

struct Digest::State {
  XXH64_state_t* handle = XXH64_createState();
  State() { XXH64_reset(handle, 0); }
  ~State() { XXH64_freeState(handle); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Digest::Digest() : state_(std::make_unique<State>()) {}
Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;

Digest& Digest::add(std::span<const std::uint8_t> bytes) {
  XXH64_update(state_->handle, bytes.data(), bytes.size());
  return *this;
}

Digest& Digest::add(std::string_view text) {
  add(static_cast<std::uint64_t>(text.size()));
  return add(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

std::uint64_t Digest::value() const { return XXH64_digest(state_->handle); }

std::string Digest::hex() const { return fmt::format("{:016x}", value()); }

std::string file_digest(const std::filesystem::path& path) {
  Digest digest;
  RandomAccessFile(path).read_through([&](std::uint64_t, std::span<const std::uint8_t> block) {
    digest.add(block);
    return true;
  });
  return digest.hex();
}

}  // namespace lockstep

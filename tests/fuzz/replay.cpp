// Drives a fuzz target without a fuzzer: every file of a folder as it is, then changed copies of them for some seconds.
//
//   replay FOLDER SECONDS
// Changes are drawn from a fixed seed, so that a crash comes again.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <random>
#include <vector>

#include "fuzz/target.hpp"
#include "lockstep/core/files.hpp"

namespace {
namespace fs = std::filesystem;

using Bytes = std::vector<std::uint8_t>;
using Draws = std::mt19937_64;

std::vector<Bytes> read_all(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Bytes> all;
  for (const fs::path& file : files) {
    const std::string text = lockstep::read_file(file);
    all.emplace_back(text.begin(), text.end());
  }
  return all;
}

/// Cuts, overwrites, inserts, doubles or takes over a part of another input.
void change(Bytes& bytes, const std::vector<Bytes>& others, Draws& draws) {
  const std::size_t at = bytes.empty() ? 0 : draws() % bytes.size();
  const std::size_t count = std::min<std::size_t>(1 + draws() % 16, bytes.size() - at);
  const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at), end = place + static_cast<std::ptrdiff_t>(count);
  const Bytes& other = others[draws() % others.size()];
  switch (draws() % 6) {
    case 0:
      bytes.resize(at);
      break;
    case 1:
      bytes.erase(place, end);
      break;
    case 2:
      bytes.insert(place, count, static_cast<std::uint8_t>(draws()));
      break;
    case 3:
      if (at < other.size()) bytes.insert(place, other.begin() + static_cast<std::ptrdiff_t>(at), other.end());
      break;
    case 4:
      for (auto byte = place; byte != end; ++byte) *byte = draws() % 2 == 0 ? 0xFF : 0;
      break;
    default:
      for (auto byte = place; byte != end; ++byte) *byte = static_cast<std::uint8_t>(draws());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::vector<Bytes> seeds = read_all(argv[1]);
  if (seeds.empty()) return 2;
  for (const Bytes& seed : seeds) LLVMFuzzerTestOneInput(seed.data(), seed.size());
  Draws draws(1);
  std::int64_t inputs = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(std::atof(argv[2]));
  for (; std::chrono::steady_clock::now() < end; ++inputs) {
    Bytes bytes = seeds[draws() % seeds.size()];
    for (std::uint64_t changes = 1 + draws() % 4; changes > 0; --changes) change(bytes, seeds, draws);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::cerr << inputs << " changed inputs\n";
  return 0;
}

// How long the search for near duplicates takes: among looks that have nothing in common, with bits as uneven as worst
// in photographs, and in one crowd of alike ones. Run by hand, on one thread: build/bin/preprocess_benchmark
#include <benchmark/benchmark.h>

#include <random>

#include "preprocess/near_duplicates.hpp"

namespace lockstep::preprocess {
namespace {

enum Kind { even, uneven, crowd };

std::vector<Look> make_looks(std::size_t count, Kind kind) {
  std::mt19937_64 draws(1);
  const Look centre{draws(), draws(), draws(), draws()};
  std::vector<Look> looks(count);
  for (Look& look : looks) {
    look = {draws(), draws(), draws(), draws()};
    if (kind == uneven) look[0] &= draws() | draws();  // a bit is set with probability 3/8
    if (kind != crowd) continue;
    look = centre;
    for (int i = 0; i < 10; ++i) {
      const std::uint64_t bit = draws() % 256;
      look[bit / 64] ^= std::uint64_t{1} << bit % 64;
    }
  }
  return looks;
}

void find(benchmark::State& state) {
  const std::vector<Look> looks =
      make_looks(static_cast<std::size_t>(state.range(0)), static_cast<Kind>(state.range(1)));
  for (auto _ : state) {
    const NearPairs found = find_near_pairs(looks, 1);
    state.counters["pairs"] = static_cast<double>(found.pairs.size());
    state.counters["cut_short"] = static_cast<double>(found.cut_short);
  }
}
BENCHMARK(find)
    ->ArgsProduct({{10'000, 100'000, 1'000'000}, {even, uneven, crowd}})
    ->Unit(benchmark::kSecond)
    ->Iterations(1);

}  // namespace
}  // namespace lockstep::preprocess

BENCHMARK_MAIN();

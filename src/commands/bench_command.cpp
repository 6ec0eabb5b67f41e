// lockstep bench WHAT: the numbers the other commands are judged by. One function for each thing that is measured.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "commands/ranks.hpp"
#include "commands/shard_access.hpp"
#include "lockstep/comm/run_in_world.hpp"
#include "lockstep/commands/commands.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/train/loader_bench.hpp"
#include "lockstep/train/trainer.hpp"

namespace lockstep {
namespace {

/// The cores of all ranks: those that share a host's mask count once.
std::int64_t cores_of(World& world) {
  const std::int64_t mine = usable_cores();
  std::vector<std::string> places = world.gather_all(world.host() + " " + affinity_mask() + " " + std::to_string(mine));
  std::ranges::sort(places);
  places.erase(std::ranges::unique(places).begin(), places.end());
  std::int64_t cores = 0;
  for (const std::string& place : places) cores += std::stoll(place.substr(place.rfind(' ') + 1));
  return cores;
}

RunConfig input_config(const Options& options, World& world) {
  RunConfig config;
  config.loader = LoaderConfig::from(options);
  config.batch = options.integer("batch");
  config.seed = static_cast<std::uint64_t>(options.integer("seed"));
  config.threads = set_threads(0, world);
  config.epochs = std::numeric_limits<std::int32_t>::max();  // the clock ends it
  return config;
}

Exit bench_loader(const std::vector<std::string>& words) {
  return run_in_world("lockstep bench loader", [&](World& world, const Log& log) {
    const Options options = Options::parse(Command::bench_loader, words);
    if (const auto answer = answer_to_questions(options)) return say(world, *answer);
    RunConfig config = input_config(options, world);
    const Manifest manifest = shared_manifest(world, config.loader.data);
    ShardAccess shards(config.loader, manifest, world, log);
    config.loader.shards = shards.folder();
    const LoaderFigures mine =
        measure_loader(config, manifest, world.rank(), world.size(), options.real("seconds"), log, [&] {
          shards.opened();
          world.barrier();
        });
    const LoaderSetting setting{manifest.store, manifest.shape, config.loader.prefetch, cores_of(world)};
    const std::vector<std::string> all = world.gather_all(to_text(mine));
    if (world.rank() != 0) return Exit::done;
    LoaderFigures sum = of_text(all.front());
    for (std::size_t rank = 1; rank < all.size(); ++rank) sum.add(of_text(all[rank]));
    const LoaderReport report = judge(sum, setting);
    if (options.has("json")) write_file_atomically(options.path("json"), json_of(report));
    fmt::print("{}", table_of(report));
    return Exit::done;
  });
}

}  // namespace

Exit bench_command(const std::vector<std::string>& words) {
  keep_large_blocks();
  allow_many_files();
  if (!words.empty() && words.front() == "loader") return bench_loader({words.begin() + 1, words.end()});
  throw usage_error(words.empty() ? "bench of what?" : fmt::format("there is no bench of '{}'", words.front()),
                    "command line", "lockstep bench loader --help explains the one there is");
}

}  // namespace lockstep

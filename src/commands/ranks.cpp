#include "commands/ranks.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "lockstep/core/error.hpp"
#include "lockstep/core/machine.hpp"

namespace lockstep {

Exit run_in_world(std::string_view command, const std::function<Exit(World&, const Log&)>& work) {
  World world;
  const Log log(world.rank(), world.size());
  const auto fail = [&](const std::string& sentence, Exit code) {
    log.finish_progress();
    if (world.size() > 1) world.abort(static_cast<int>(code), fmt::format("lockstep {}: {}", command, sentence));
    fmt::print(stderr, "lockstep {}: {}\n", command, sentence);
    return code;
  };
  try {
    return work(world, log);
  } catch (const Error& error) {
    return fail(error.what(), error.exit_code());
  } catch (const std::bad_alloc&) {
    return fail("out of memory · this rank · use a smaller --batch, more ranks or a machine with more memory", Exit::failed);
  } catch (const std::exception& error) {
    return fail(error.what(), Exit::failed);
  }
}

Manifest shared_manifest(World& world, const std::filesystem::path& folder) {
  const std::string mine = world.rank() == 0 ? Manifest::load(folder).to_json() : std::string();
  return Manifest::from_json(world.broadcast(mine), (folder / Manifest::file_name).string());
}

std::int64_t set_threads(std::int64_t asked, const World& world) {
  const std::int64_t threads = asked > 0 ? asked : core_share(world.local_size());
  at::set_num_threads(static_cast<int>(threads));
  return threads;
}

}  // namespace lockstep

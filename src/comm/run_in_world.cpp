#include "lockstep/comm/run_in_world.hpp"

#include <fmt/format.h>

#include <new>
#include <optional>

namespace lockstep {
namespace {

Exit fail(World& world, const Log& log, const std::string& sentence, Exit code) {
  log.finish_progress();
  if (world.size() > 1) world.abort(static_cast<int>(code), sentence);
  fmt::print(stderr, "{}\n", sentence);
  return code;
}

/// The other ranks found the same fault and come here too.
Exit fail_together(World& world, const std::string& sentence) {
  if (world.rank() == 0) fmt::print(stderr, "{}\n", sentence);
  world.barrier();
  return Exit::usage;
}

}  // namespace

Exit run_in_world(std::string_view command, const std::function<Exit(World&, const Log&)>& work) {
  std::optional<World> made;
  try {
    made.emplace();
  } catch (const Error& error) {  // MPI could not start: there is nobody to tell
    fmt::print(stderr, "{}: {}\n", command, error.what());
    return error.exit_code();
  }
  World& world = *made;
  const Log log(world.rank(), world.size());
  try {
    return work(world, log);
  } catch (const Error& error) {
    const std::string sentence = fmt::format("{}: {}", command, error.what());
    return error.exit_code() == Exit::usage ? fail_together(world, sentence) : fail(world, log, sentence, error.exit_code());
  } catch (const std::bad_alloc&) {
    return fail(world, log, fmt::format("{}: out of memory · this process · use smaller batches or shards, more ranks or more memory", command),
                Exit::failed);
  } catch (const std::exception& error) {
    return fail(world, log, fmt::format("{}: {}", command, error.what()), Exit::failed);
  }
}

Exit say(const World& world, std::string_view text) {
  if (world.rank() == 0) fmt::print("{}", text);
  return Exit::done;
}

}  // namespace lockstep

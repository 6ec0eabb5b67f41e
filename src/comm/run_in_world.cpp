#include "lockstep/comm/run_in_world.hpp"

#include <fmt/format.h>

#include <chrono>
#include <new>
#include <optional>
#include <thread>

namespace lockstep {
namespace {

constexpr std::chrono::seconds agreement_patience{3};

Exit fail(World& world, const Log& log, const std::string& sentence, Exit code) {
  log.finish_progress();
  // A fault that every rank finds is said by rank 0, whose abort ends the others before they speak.
  if (world.rank() > 0) std::this_thread::sleep_for(std::chrono::seconds(1));
  if (world.size() > 1) world.abort(static_cast<int>(code), sentence);
  fmt::print(stderr, "{}\n", sentence);
  return code;
}

/// The other ranks should have found the same fault and come here too: rank 0 speaks for all. Ranks that did not (a
/// config that differs on one node, a fault only rank 0 looks for) are ended after a while instead of waited for.
Exit fail_together(World& world, const std::string& sentence) {
  if (world.rank() == 0) fmt::print(stderr, "{}\n", sentence);
  if (world.barrier_within(agreement_patience)) return Exit::usage;
  world.abort(static_cast<int>(Exit::usage), world.rank() == 0 ? "the other ranks did not find this fault" : sentence);
}

/// A library's exception as a sentence: LibTorch's carry a stack trace behind their first line.
std::string sentence_of(const std::exception& error) {
  const std::string_view text = error.what();
  const bool memory = text.find("out of memory") != std::string_view::npos;
  return fmt::format("{} · a library's own message · {}", text.substr(0, text.find('\n')),
                     memory ? "use a smaller --batch or --side, more ranks, or more memory"
                            : "see the README's known limits; if it isn't there, report it with the command");
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
  if (world.takes_turns())
    log.info(
        "this MPI allows calls of one thread at a time (MPI_THREAD_SERIALIZED): threads take turns, exchanges overlap "
        "less");
  try {
    return work(world, log);
  } catch (const Error& error) {
    const std::string sentence = fmt::format("{}: {}", command, error.what());
    return error.exit_code() == Exit::usage ? fail_together(world, sentence)
                                            : fail(world, log, sentence, error.exit_code());
  } catch (const std::bad_alloc&) {
    return fail(
        world, log,
        fmt::format("{}: out of memory · this process · use smaller batches or shards, more ranks or more memory",
                    command),
        Exit::failed);
  } catch (const std::exception& error) {
    return fail(world, log, fmt::format("{}: {}", command, sentence_of(error)), Exit::failed);
  }
}

Exit say(const World& world, std::string_view text) {
  if (world.rank() == 0) fmt::print("{}", text);
  return Exit::done;
}

}  // namespace lockstep

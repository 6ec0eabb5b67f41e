// lockstep-preprocess: the command `lockstep preprocess`, a program of its own because of the codecs it links.
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <vector>

#include "lockstep/comm/world.hpp"
#include "lockstep/config/options.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/log.hpp"
#include "preprocess/pack.hpp"

namespace lockstep {
namespace {

/// Whether the words only asked to be told something, which rank 0 then did.
bool answered(const Options& options, bool speaks) {
  std::string text;
  if (options.flag("help") || options.flag("help-all")) {
    text = help_text(Command::preprocess, options.flag("help-all"));
  } else if (options.flag("print-config")) {
    text = options.to_ini();
  }
  if (speaks && !text.empty()) fmt::print("{}", text);
  return !text.empty();
}

/// Ends the whole run: the other ranks wait in exchanges this one will not come to.
int fail(World& world, const Log& log, Exit exit, const std::string& text) {
  const int code = static_cast<int>(exit);
  if (world.size() > 1) world.abort(code, text);
  log.error(text);
  return code;
}

int run(const std::vector<std::string>& words) {
  World world;
  const Log log(world.rank(), world.size());
  try {
    // Every rank finds the same fault in the words; rank 0 alone says so.
    const Options options = Options::parse(Command::preprocess, words);
    if (answered(options, world.rank() == 0)) return 0;
    preprocess::pack(preprocess::PackSettings::from(options), world, log);
    return 0;
  } catch (const Error& error) {
    if (error.exit_code() == Exit::usage && world.rank() != 0) world.barrier();
    return fail(world, log, error.exit_code(), error.what());
  } catch (const std::bad_alloc&) {
    return fail(world, log, Exit::failed,
                "out of memory · · use a smaller --shard-mib or fewer --threads, or more memory");
  } catch (const std::exception& error) {
    return fail(world, log, Exit::defect, error.what());
  }
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  try {
    return lockstep::run({argv + 1, argv + argc});
  } catch (const lockstep::Error& error) {  // MPI could not start
    fmt::print(stderr, "error: {}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}

// lockstep-preprocess: the command `lockstep preprocess`, a program of its own because of the codecs it links.
#include <string>
#include <vector>

#include "lockstep/comm/run_in_world.hpp"
#include "lockstep/config/options.hpp"
#include "lockstep/core/machine.hpp"
#include "preprocess/audit_command.hpp"
#include "preprocess/pack.hpp"
#include "preprocess/verify.hpp"

int main(int argc, char** argv) {
  using namespace lockstep;
  keep_large_blocks();  // pictures and shards come and go: page faults were a tenth of the time (2026-11-21)
  const std::vector<std::string> words(argv + 1, argv + argc);
  const Exit exit = run_in_world("lockstep preprocess", [&](World& world, const Log& log) {
    const Options options = Options::parse(Command::preprocess, words);
    if (const auto answer = answer_to_questions(options)) return say(world, *answer);
    if (options.has("audit") && options.has("verify"))
      options.reject("verify", "given together with --audit", "one after the other");
    if (options.has("audit")) {
      preprocess::audit_data_set(preprocess::AuditSettings::from(options), world);
      return Exit::done;
    }
    if (options.has("verify")) {
      preprocess::verify_data_set(preprocess::VerifySettings::from(options), world, log);
      return Exit::done;
    }
    preprocess::pack(preprocess::PackSettings::from(options), world, log);
    return Exit::done;
  });
  return static_cast<int>(exit);
}

// The program lockstep: finds the command and turns what it throws into a sentence and an exit code.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "lockstep/commands/commands.hpp"
#include "lockstep/config/options.hpp"

namespace {

using namespace lockstep;

Exit dispatch(const std::string& command, const std::vector<std::string>& words) {
  if (command == "preprocess") return preprocess_command(words);
  if (command == "train") return train_command(words);
  if (command == "evaluate") return evaluate_command(words);
  if (command == "freeze-study") return freeze_study_command(words);
  if (command == "runs") return runs_command(words);
  if (command == "predict") return predict_command(words);
  if (command == "bench") return bench_command(words);
  if (command == "weights") return weights_command(words);
  if (command == "--help" || command == "help") {
    fmt::print("{}", overview_text());
    return Exit::done;
  }
  if (command == "--version") {
    fmt::print("lockstep {}\n", LOCKSTEP_VERSION);
    return Exit::done;
  }
  throw usage_error(fmt::format("there is no command '{}'", command), "command line",
                    "lockstep --help lists the commands");
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) {
    fmt::print(stderr, "{}", overview_text());
    return static_cast<int>(Exit::usage);
  }
  const std::string command = words.front();
  words.erase(words.begin());
  try {
    return static_cast<int>(dispatch(command, words));
  } catch (const Error& error) {
    fmt::print(stderr, "lockstep {}: {}\n", command, error.what());
    return static_cast<int>(error.exit_code());
  } catch (const std::exception& error) {
    fmt::print(stderr, "lockstep {}: {} · a library's own message · see the README's known limits\n", command,
               error.what());
    return static_cast<int>(Exit::failed);
  }
}

// lockstep runs: the runs below a folder, who refined whom, and what it brought.
#include <fmt/format.h>

#include "lockstep/commands/commands.hpp"
#include "lockstep/config/options.hpp"
#include "lockstep/report/run_tree.hpp"

namespace lockstep {

Exit runs_command(const std::vector<std::string>& words) {
  const Options options = Options::parse(Command::runs, words);
  if (const auto answer = answer_to_questions(options)) {
    fmt::print("{}", *answer);
    return Exit::done;
  }
  const std::vector<RunOverview> runs = read_runs(options.path("folder"));
  fmt::print("{}", options.flag("json") ? runs_json(runs) : runs_table(runs));
  return Exit::done;
}

}  // namespace lockstep

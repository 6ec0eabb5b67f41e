// The runs below a folder as a family: who refined whom, what was changed, and what it brought.
//
// Everything is read from the run folders (config.ini, run.json, log.jsonl, predictions.h5); nothing is written. A
// folder that is meant as a run but cannot be read is listed with the reason. A parent is the folder that run.json
// names, or the one that lies to the child now as it lay then: families may be moved together. Gains are differences of
// the deciding metric on the split that judged the epochs, where both runs were judged by the same metric on the same
// data. Of accuracy it is said whether it is more than chance: by McNemar's test and a paired bootstrap on the best
// weights' predictions of that split (lockstep evaluate --split …) where both runs have kept them; else by the interval
// of a difference of two shares (Newcombe, 1998, method 10) as if the samples were other ones, which is wider than the
// truth. One thread. Errors: the folder itself cannot be read.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/record/run_folder.hpp"

namespace lockstep {

enum class RunState { damaged, unfinished, stopped, failed, finished };

/// What a child brought against its parent.
struct Gain {
  double value = 0;                 ///< positive: better, also of a loss
  std::optional<double> low, high;  ///< 95 % interval of it
  std::optional<double> p;          ///< of McNemar's test
  std::int64_t samples = 0;         ///< it rests on; 0: nobody says
  /// More than chance: p below 0.05, or where there is none, an interval without 0. Nothing: not known.
  std::optional<bool> significant;
};

struct RunOverview {
  std::filesystem::path folder;
  std::string name;  ///< its path below the folder that was asked for
  RunState state = RunState::unfinished;
  std::string reason;  ///< why it is damaged, stopped, failed or has ended
  std::int64_t epochs = 0, planned_epochs = 0;
  std::string metric;          ///< that decides
  std::optional<double> best;  ///< its value for the best weights
  std::int64_t best_epoch = 0, judged_samples = 0;
  double idle_seconds = 0;  ///< since the last line of the log
  std::string data_digest, split;
  std::optional<ParentRecord> parent;
  std::optional<std::size_t> parent_index;  ///< in the list, if it is there
  bool parent_went_on = false;              ///< its weights are not those any more that the child started from
  std::int64_t depth = 0;                   ///< ancestors in the list
  std::optional<Gain> gain;
};

/// Every run below `folder`, or it alone, a parent before its children, else by name.
std::vector<RunOverview> read_runs(const std::filesystem::path& folder);

/// 95 % interval of the difference of two shares, `now` − `before`, of so many samples each.
struct DifferenceInterval {
  double low = 0, high = 0;
};
DifferenceInterval difference_interval(double before, std::int64_t before_samples, double now,
                                       std::int64_t now_samples);

/// A table for a person: a line for each run, children set in below their parents, with what they changed.
std::string runs_table(const std::vector<RunOverview>& runs);
std::string runs_json(const std::vector<RunOverview>& runs);

}  // namespace lockstep

// Runs of a small network that are stopped, fail and go on, and what of them must not depend on that.
#pragma once
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "comm/rank_threads.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/train/trainer.hpp"
#include "lockstep/weights/safetensors.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep::testing {

using Values = std::map<std::string, std::string>;

/// What of a run must not depend on its stops: the log without seconds, by (event, step), and the weights.
struct Story {
  std::map<std::string, std::string> events;
  std::map<std::string, at::Tensor> last, best;
};

class ResumedRuns : public ::testing::Test {
 protected:
  static constexpr std::int64_t steps_per_epoch = 5, epochs = 2;  // 53 samples in batches of 11

  Options options(const Values& more) const {
    Values all{{"data", folder_.path().string()},
               {"filters", "6"},
               {"dense", "8"},
               {"epochs", "2"},
               {"batch", "11"},
               {"lr", "0.02"},
               {"threads", "1"},
               {"log-every", "1"},
               {"dropout-conv", "0.2"},
               {"augment", "true"},
               {"schedule", "cosine"},
               {"warmup", "3steps"}};
    for (const auto& [name, value] : more) all[name] = value;
    return Options::from_values(Command::train, all);
  }

  /// Starts or goes on with the run in `run`; stops after `until` steps of this start (0: never).
  TrainingResult start(const Options& given, const std::string& run, int ranks, std::int64_t until) {
    at::set_num_threads(1);
    RunConfig config = RunConfig::from(given);
    if (keeps_before_judging_) config.checkpoint.seconds_at_stake = config.checkpoint.writings_at_stake = 0;
    const bool goes_on = std::filesystem::exists(run);
    if (goes_on) config.model.weights.clear();  // as the command does: a checkpoint holds what became of them
    TrainingResult result;
    run_ranks(ranks, [&](Communicator& communicator) {
      RankCommunicators channels = split_rank_communicators(communicator);
      Log log(communicator.rank(), ranks);
      log.quiet();
      std::int64_t made = 0;
      Trainer::Hooks hooks;
      hooks.on_step = [&](std::int64_t step, const StepResult&) {
        ++made;
        on_step_(step);
      };
      hooks.stop_requested = [&made, until] { return until > 0 && made + 1 >= until; };
      Trainer trainer(config, manifest_, channels, log, hooks);
      const bool first = communicator.rank() == 0;
      if (goes_on) trainer.restore(first ? newest_checkpoint(RunFolder::open(run).checkpoints()).newest : std::nullopt);
      std::optional<RunFolder> folder;
      if (first) folder = goes_on ? RunFolder::open(run) : create(run, given, config, ranks);
      try {
        const TrainingResult mine = trainer.run(folder);
        if (first) result = mine;
      } catch (const std::exception& error) {
        for (Communicator* channel : {channels.control.get(), channels.gradients.get()}) channel->abort(error.what());
        throw;
      }
    });
    return result;
  }

  RunFolder create(const std::string& run, const Options& given, const RunConfig& config, int ranks) const {
    return RunFolder::create(run, given, record_of(config, manifest_, plan_input(config.loader, manifest_), ranks));
  }

  static std::int64_t step_in(const std::string& name) { return std::stoll(name.substr(name.find(' '))); }

  static Story story_of(const std::string& run) {
    Story story;
    const RunFolder folder = RunFolder::open(run);
    std::istringstream lines(read_file(folder.log()));
    std::int64_t resumed_step = -1;  // its judgement may be told once more
    for (std::string line; std::getline(lines, line);) {
      auto json = nlohmann::ordered_json::parse(line);
      const std::string event = json["event"];
      if (event == "resumed") {
        resumed_step = json["step"];
        std::erase_if(story.events, [&](const auto& told) { return step_in(told.first) > resumed_step; });
      }
      if (event != "step" && event != "epoch" && event != "evaluation" && event != "plateau" &&
          event != "stopped_early")
        continue;
      for (const auto& key : std::vector<std::string>{"images_per_second", "wait_seconds", "wait_share",
                                                      "exposed_exchange_seconds", "train_seconds", "eval_seconds"})
        json.erase(key);
      const std::string name = event + " " + json["step"].dump();
      EXPECT_TRUE(!story.events.contains(name) || json["step"] == resumed_step) << name << " twice";
      story.events[name] = json.dump();
    }
    const WeightFile last = read_safetensors(folder.last_weights()), best = read_safetensors(folder.best_weights());
    story.last = {last.tensors.begin(), last.tensors.end()};
    story.best = {best.tensors.begin(), best.tensors.end()};
    return story;
  }

  static void expect_equal(const Story& a, const Story& b, const std::string& what) {
    EXPECT_EQ(a.events, b.events) << what;
    for (const auto& [name, tensor] : a.last) EXPECT_TRUE(tensor.equal(b.last.at(name))) << what << ": last " << name;
    for (const auto& [name, tensor] : a.best) EXPECT_TRUE(tensor.equal(b.best.at(name))) << what << ": best " << name;
  }

  /// The same to rounding, as on another number of ranks.
  static void expect_near(const Story& expected, const Story& found) {
    for (const auto& [name, text] : expected.events) {
      const auto a = nlohmann::json::parse(text), b = nlohmann::json::parse(found.events.at(name));
      const char* key = a.contains("loss") ? "loss" : "train_loss";
      EXPECT_NEAR(a[key].get<double>(), b[key].get<double>(), 1e-5 * a[key].get<double>()) << name;
    }
  }

  std::string fresh_run() { return runs_ / std::to_string(++run_count_); }

  TemporaryFolder folder_, runs_;
  Manifest manifest_ = write_tiny_data_set(folder_.path());
  int run_count_ = 0;
  bool keeps_before_judging_ = false;  // whatever is at stake
  std::function<void(std::int64_t step)> on_step_ = [](std::int64_t) {};
};

/// More of the network is trained from the second epoch on.
inline Values unfreezing(Values more) {
  more.insert({{"freeze", "all-but-head"}, {"unfreeze-at", "2:0.3"}, {"allow-random-frozen", "true"}});
  return more;
}

}  // namespace lockstep::testing

#include "lockstep/checkpoint/checkpoint.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <fstream>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

TrainState state_at(std::int64_t steps) {
  TrainState state;
  state.epoch = 3;
  state.step = 7;
  state.steps = steps;
  state.sums = {1.0 / 3.0, 91, 40, 7, 0.125, 0.25, 2.5};
  state.optimiser_steps = {{"conv1.weight", steps - 3}, {"fc.weight", steps}};
  state.judged_steps = steps - 7;
  state.best_score = -0.1;
  state.best_epoch = 2;
  state.early_stopping = {0.75, 2};
  state.plateau = {-1.0 / 7.0, 1};
  state.plateaus = 3;
  state.averaged = 5;
  state.ranks = 4;
  state.data_digest = "0123456789abcdef";
  return state;
}

CheckpointTensors tensors_of(std::int64_t steps) {
  CheckpointTensors tensors;
  tensors.model = {{"weight", at::full({3, 2}, static_cast<double>(steps), at::kFloat)},
                   {"tracked", at::full({}, steps, at::kLong)}};
  tensors.optimiser = {{"momentum.weight", at::rand({3, 2})}};
  tensors.per_rank = {{"mean", at::rand({4, 5})}};
  return tensors;
}

std::string fault_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_FALSE(error.hint().empty()) << error.what();
    return error.what();
  }
  return "no error";
}

class Checkpoints : public ::testing::Test {
 protected:
  fs::path write(std::int64_t steps, std::int64_t keep = 10) {
    return write_checkpoint(root_, state_at(steps), tensors_of(steps), keep);
  }
  std::int64_t newest_steps() const {
    const FoundCheckpoint found = newest_checkpoint(root_);
    return found.newest ? found.newest->state.steps : -1;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(root_)) found.push_back(entry.path().filename().string());
    std::ranges::sort(found);
    return found;
  }

  TemporaryFolder folder_;
  fs::path root_ = folder_ / "checkpoints";
};

TEST_F(Checkpoints, GiveBackWhatWasWritten) {
  const CheckpointTensors given = tensors_of(12);
  const Checkpoint read = read_checkpoint(write_checkpoint(root_, state_at(12), given, 2));
  EXPECT_EQ(read.state.to_json(), state_at(12).to_json());
  EXPECT_EQ(read.state.sums.loss_sum, 1.0 / 3.0) << "every bit of a double survives";
  ASSERT_EQ(read.model.tensors.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(read.model.tensors[i].second.equal(given.model[i].second));
  EXPECT_TRUE(read.optimiser.tensors[0].second.equal(given.optimiser[0].second));
  EXPECT_TRUE(read.per_rank.tensors[0].second.equal(given.per_rank[0].second));
}

TEST_F(Checkpoints, TheNewestIsTheOneWithTheMostSteps) {
  EXPECT_EQ(newest_steps(), -1) << "no folder yet";
  for (const std::int64_t steps : {9, 20, 100}) write(steps);
  EXPECT_EQ(newest_steps(), 100);
}

TEST_F(Checkpoints, OnlyTheNewestStay) {
  for (const std::int64_t steps : {1, 2, 3, 4}) write(steps, 2);
  EXPECT_EQ(names(), (std::vector<std::string>{"step-00000003", "step-00000004"}));
}

TEST_F(Checkpoints, AnUnfinishedOneIsPassedOver) {
  write(5);
  fs::remove(write(6) / "DONE");
  fs::create_directories(root_ / ".step-00000007.partial");
  const FoundCheckpoint found = newest_checkpoint(root_);
  EXPECT_EQ(found.newest->state.steps, 5);
  ASSERT_EQ(found.passed_over.size(), 1u);
  EXPECT_NE(found.passed_over[0].find("unfinished"), std::string::npos) << found.passed_over[0];
}

TEST_F(Checkpoints, LeftoversOfAKillGoWithTheNextOne) {
  write(5);
  fs::remove(write(6) / "DONE");
  fs::create_directories(root_ / ".step-00000007.partial");
  write(8);
  EXPECT_EQ(names(), (std::vector<std::string>{"step-00000005", "step-00000008"}));
}

TEST_F(Checkpoints, AStepThatWasReachedBeforeIsWrittenAnew) {
  write(5);
  fs::remove(write(6) / "DONE");
  write(6);
  EXPECT_EQ(newest_steps(), 6);
}

TEST_F(Checkpoints, AStepThatIsWrittenAgainIsNeverWithoutAWholeOne) {
  write(5, 1);
  write(6, 1);
  TrainState judged = state_at(6);
  judged.judged_steps = 6;
  write_checkpoint(root_, judged, tensors_of(6), 1);
  EXPECT_EQ(names(), std::vector<std::string>{"step-00000006"});
  EXPECT_EQ(newest_checkpoint(root_).newest->state.judged_steps, 6);
  // As a kill leaves it: the one before aside, the other in its place or not, without its last file.
  fs::rename(root_ / "step-00000006", root_ / "step-00000006.replaced");
  EXPECT_EQ(newest_steps(), 6);
  fs::copy(root_ / "step-00000006.replaced", root_ / "step-00000006");
  fs::remove(root_ / "step-00000006/DONE");
  EXPECT_EQ(newest_steps(), 6);
  write(6, 1);
  EXPECT_EQ(names(), std::vector<std::string>{"step-00000006"});
  EXPECT_EQ(newest_checkpoint(root_).newest->state.judged_steps, state_at(6).judged_steps);
}

TEST_F(Checkpoints, DamageOfEveryKindIsFoundAndNamed) {
  const auto flip = [](const fs::path& file) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(-1, std::ios::end);
    const char last = static_cast<char>(stream.get());
    stream.seekp(-1, std::ios::end);
    stream.put(static_cast<char>(last ^ 1));
  };
  const auto cut = [](const fs::path& file) { fs::resize_file(file, fs::file_size(file) - 1); };
  const auto lose = [](const fs::path& file) { fs::remove(file); };
  for (const char* name : {"model.safetensors", "optimiser.safetensors", "per_rank.safetensors", "state.json"}) {
    const std::vector<std::pair<std::function<void(const fs::path&)>, std::string>> damages{
        {flip, "checksum"}, {cut, "bytes"}, {lose, "missing"}};
    for (const auto& [damage, said] : damages) {
      write(5);
      const fs::path newer = write(6);
      damage(newer / name);
      const std::string fault = fault_of([&] { read_checkpoint(newer); });
      EXPECT_NE(fault.find(said), std::string::npos) << name << ": " << fault;
      EXPECT_NE(fault.find(name), std::string::npos) << fault;
      EXPECT_EQ(newest_steps(), 5) << "the one before serves";
      fs::remove_all(root_);
    }
  }
}

TEST_F(Checkpoints, DamagedNewerOnesAreSetAsideAndNeverTakeThePlaceOfWholeOnes) {
  for (const std::int64_t steps : {8, 15, 16}) write(steps);
  for (const char* newer : {"step-00000015", "step-00000016"}) fs::remove(root_ / newer / "state.json");
  ASSERT_EQ(newest_steps(), 8);
  write(9, 1);
  EXPECT_EQ(newest_steps(), 9);
  EXPECT_EQ(names(), (std::vector<std::string>{"damaged-step-00000015", "damaged-step-00000016", "step-00000009"}));
  write(10, 1);
  EXPECT_EQ(newest_steps(), 10);
}

TEST_F(Checkpoints, DamageOfAllIsAnErrorThatNamesEach) {
  for (const std::int64_t steps : {5, 6}) fs::remove(write(steps) / "model.safetensors");
  const std::string fault = fault_of([&] { newest_checkpoint(root_); });
  EXPECT_NE(fault.find("step-00000005"), std::string::npos) << fault;
  EXPECT_NE(fault.find("step-00000006"), std::string::npos) << fault;
}

TEST_F(Checkpoints, AnotherFormatVersionIsSaid) {
  std::string text = state_at(1).to_json();
  text.replace(text.find("\"format_version\": 3"), 19, "\"format_version\": 9");
  const std::string fault = fault_of([&] { TrainState::from_json(text, "here"); });
  EXPECT_NE(fault.find("version 9"), std::string::npos) << fault;
  EXPECT_NE(fault_of([&] { TrainState::from_json("{\"format_version\": 2}", "here"); }).find("epoch"),
            std::string::npos);
}

TEST_F(Checkpoints, AnOlderStateHasWaitedForNothing) {
  auto json = nlohmann::ordered_json::parse(state_at(9).to_json());
  json["format_version"] = 2;
  for (const char* newer : {"early_stopping", "plateau", "plateaus", "averaged"}) json.erase(newer);
  const TrainState state = TrainState::from_json(json.dump(), "here");
  EXPECT_EQ(state.steps, 9);
  EXPECT_FALSE(state.early_stopping.best);
  EXPECT_EQ(state.plateau.waited + state.plateaus + state.averaged, 0);
}

TEST_F(Checkpoints, AFailedWriteLeavesTheOneBefore) {
  write(5);
  CheckpointTensors unwritable = tensors_of(6);
  unwritable.optimiser.emplace_back("mask", at::zeros({3}, at::kComplexFloat));  // a type weight files don't hold
  EXPECT_NE(fault_of([&] { write_checkpoint(root_, state_at(6), unwritable, 2); }).find("mask"), std::string::npos);
  EXPECT_EQ(names(), std::vector<std::string>{"step-00000005"});
  EXPECT_EQ(newest_steps(), 5);
}

}  // namespace
}  // namespace lockstep

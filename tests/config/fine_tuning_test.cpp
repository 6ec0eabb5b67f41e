#include "lockstep/config/fine_tuning.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "lockstep/config/run_config.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"

namespace lockstep {
namespace {

using Words = std::vector<std::string>;

Options train(Words words) {
  words.insert(words.end(), {"--data", "d", "--run", "r"});
  return Options::parse(Command::train, words);
}

Options tuned(const std::string& preset, Words words) {
  words.insert(words.end(), {"--transfer", preset, "--weights", "w.pth"});
  return with_transfer_preset(train(words)).options;
}

TEST(TransferPresets, FreezeAndLearnAsTheirScenarioAsks) {
  const RunConfig small_similar = RunConfig::from(tuned("small-similar", {}));
  EXPECT_EQ(small_similar.model.freeze.what, FreezeWhat::all_but_head);
  EXPECT_FALSE(small_similar.loader.augmentation.on);
  EXPECT_EQ(small_similar.optimiser.lr, 0.001);
  const RunConfig small_different = RunConfig::from(tuned("small-different", {}));
  EXPECT_EQ(small_different.model.freeze.fraction, 0.5);
  EXPECT_TRUE(small_different.loader.augmentation.on);
  EXPECT_LT(small_different.optimiser.lr, small_different.optimiser.head_lr);
  const RunConfig large_similar = RunConfig::from(tuned("large-similar", {}));
  EXPECT_FALSE(large_similar.model.freeze.any());
  EXPECT_EQ(large_similar.optimiser.lr, 0.0001);
  EXPECT_EQ(large_similar.optimiser.layer_decay, 0.9);
  const RunConfig large_different = RunConfig::from(tuned("large-different", {}));
  EXPECT_FALSE(large_different.model.freeze.any());
  EXPECT_FALSE(large_different.optimiser.has_groups());
  EXPECT_EQ(large_different.optimiser.lr, 0.001);
}

TEST(TransferPresets, GiveWayToWhatIsSaid) {
  const RunConfig first = RunConfig::from(tuned("small-similar", {"--freeze-first", "3", "--weight-decay", "0"}));
  EXPECT_EQ(first.model.freeze.what, FreezeWhat::first);
  EXPECT_EQ(first.optimiser.weight_decay, 0);
  EXPECT_FALSE(RunConfig::from(tuned("small-similar", {"--freeze-fraction", "0"})).model.freeze.any());
  const RunConfig rate = RunConfig::from(tuned("large-similar", {"--lr", "0.01"}));
  EXPECT_EQ(rate.optimiser.lr, 0.01);
  EXPECT_EQ(rate.optimiser.head_lr, 0) << "the preset's rates belong together";
  EXPECT_EQ(rate.optimiser.layer_decay, 0.9);
  const RunConfig plain = RunConfig::from(tuned("small-different", {"--no-augment"}));
  EXPECT_FALSE(plain.loader.augmentation.on);
  EXPECT_EQ(RunConfig::from(tuned("small-different", {"--rotation", "3"})).loader.augmentation.rotation, 3);
}

TEST(TransferPresets, AreSaidAndRecorded) {
  const FineTuning made = with_transfer_preset(train({"--transfer", "small-similar", "--weights", "w", "--lr", "0.1"}));
  EXPECT_EQ(made.note,
            "--transfer small-similar means --freeze all-but-head --weight-decay 0.001; what is said on its own wins");
  const Options again = Options::from_ini(Command::train, made.options.to_ini(), "config.ini");
  const FineTuning second = with_transfer_preset(again);
  EXPECT_EQ(second.note, "") << "the record of a run says it all";
  EXPECT_TRUE(second.options.differences(made.options).empty());
}

/// A row of the README: | `small-similar` | why | `--freeze …` |
TEST(TransferPresets, StandInTheReadmeAsTheyAre) {
  const std::string readme = read_file(std::filesystem::path(std::getenv("LOCKSTEP_SOURCE_DIR")) / "README.md");
  for (const std::string preset : {"small-similar", "small-different", "large-similar", "large-different"}) {
    const std::string note = with_transfer_preset(train({"--transfer", preset, "--weights", "w"})).note;
    std::string values = note.substr(note.find("means ") + 6);
    values = values.substr(0, values.find(';'));
    if (const std::size_t flag = values.find("--augment true"); flag != std::string::npos) values.erase(flag + 9, 5);
    const std::size_t row = readme.find("| `" + preset + "` |");
    ASSERT_NE(row, std::string::npos) << preset;
    const std::string line = readme.substr(row, readme.find('\n', row) - row);
    EXPECT_TRUE(line.ends_with("| `" + values + "` |")) << line << "\n" << values;
  }
}

TEST(TransferPresets, NeedWeightsOrTheWishToDoWithout) {
  EXPECT_THROW(with_transfer_preset(train({"--transfer", "large-similar"})), Error);
  EXPECT_NO_THROW(
      RunConfig::from(with_transfer_preset(train({"--transfer", "large-similar", "--allow-random-frozen"})).options));
  EXPECT_THROW(train({"--transfer", "small"}), Error);
  EXPECT_EQ(with_transfer_preset(train({})).note, "");
}

TEST(WeightDefaults, AreTheWeightsNormalisationAndALowRateButForTheHead) {
  const FineTuning made = with_weight_defaults(train({"--weights", "w"}), "imagenet");
  const RunConfig config = RunConfig::from(made.options);
  EXPECT_EQ(config.loader.normalisation, Normalisation::imagenet);
  EXPECT_EQ(config.optimiser.lr, 0.0001);
  EXPECT_EQ(config.optimiser.head_lr, 0.001);
  EXPECT_EQ(made.note,
            "starting from weights, so with --normalise imagenet --lr 0.0001 --head-lr 0.001; say these options to "
            "choose otherwise");
}

TEST(WeightDefaults, GiveWayToWhatIsSaid) {
  const FineTuning made =
      with_weight_defaults(train({"--weights", "w", "--normalise", "unit", "--lr", "0.02"}), "imagenet");
  EXPECT_EQ(made.note, "");
  EXPECT_EQ(RunConfig::from(made.options).loader.normalisation, Normalisation::unit);
  EXPECT_EQ(RunConfig::from(made.options).optimiser.head_lr, 0);
  EXPECT_EQ(with_weight_defaults(train({}), "imagenet").note, "") << "without weights nothing changes";
  const Options head = with_weight_defaults(train({"--weights", "w", "--head-lr", "0.5"}), "").options;
  EXPECT_EQ(RunConfig::from(head).optimiser.lr, 0.001);
  EXPECT_EQ(RunConfig::from(head).loader.normalisation, Normalisation::standardise);
}

TEST(WeightDefaults, MayBeTheWeightsOwnStatistics) {
  for (const Words& words : {Words{"--weights", "w"}, Words{"--weights", "w", "--normalise", "weights"}}) {
    const Options options = with_weight_defaults(train(words), "0.5,0.4,0.3/0.2,0.1,0.25").options;
    const LoaderConfig config = RunConfig::from(options).loader;
    EXPECT_EQ(config.normalisation, Normalisation::given);
    EXPECT_EQ(config.input_mean, (std::vector<double>{0.5, 0.4, 0.3}));
    EXPECT_EQ(config.input_std, (std::vector<double>{0.2, 0.1, 0.25}));
  }
}

TEST(WeightDefaults, NormalisationsThatAreNoneAreRefused) {
  for (const std::string text : {"weights", "imgnet", "0.5", "0.5/", "/0.5", "0.5/0", "0.5,0.4/0.5,0.5", "0.5/-1",
                                 "0.5/a", "0.5,0.5,0.5/0.5", "300/1", "0.5/0.5/0.5"}) {
    try {
      RunConfig::from(train({"--normalise", text}));
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), Exit::usage);
      EXPECT_NE(std::string(error.what()).find("--normalise"), std::string::npos) << error.what();
      EXPECT_FALSE(error.hint().empty());
    }
  }
}

}  // namespace
}  // namespace lockstep

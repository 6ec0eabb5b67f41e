#include "lockstep/config/options.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using Words = std::vector<std::string>;

Options train(Words words) {
  words.insert(words.end(), {"--data", "d", "--run", "r"});
  return Options::parse(Command::train, words);
}

/// The sentence of the usage error that parsing ends in.
std::string fault(const Words& words) {
  try {
    RunConfig::from(train(words));
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), Exit::usage);
    EXPECT_FALSE(error.hint().empty()) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error for " << words.front();
  return "";
}

TEST(Options, CommandLineWinsOverFileWinsOverDefault) {
  const testing::TemporaryFolder folder;
  write_file_atomically(folder / "a.ini", "[training]\nlr = 0.5\nepochs = 7\n");
  const Options options = train({"--config", (folder / "a.ini").string(), "--epochs", "3"});
  EXPECT_EQ(options.real("lr"), 0.5);
  EXPECT_EQ(options.integer("epochs"), 3);
  EXPECT_EQ(options.integer("batch"), 64);
  EXPECT_TRUE(options.said("lr"));
  EXPECT_FALSE(options.said("batch"));
}

TEST(Options, EverySpellingOfASwitch) {
  EXPECT_TRUE(train({"--augment"}).flag("augment"));
  EXPECT_TRUE(train({"--augment=true"}).flag("augment"));
  EXPECT_FALSE(train({"--augment=false"}).flag("augment"));
  EXPECT_FALSE(train({"--no-batch-norm"}).flag("batch-norm"));
}

TEST(Options, BadValuesAreRefusedWithNameAndFix) {
  EXPECT_NE(fault({"--lr", "nan"}).find("--lr"), std::string::npos);
  EXPECT_NE(fault({"--lr", "inf"}).find("finite"), std::string::npos);
  EXPECT_NE(fault({"--lr", "0"}).find("out of range"), std::string::npos);
  EXPECT_NE(fault({"--epochs", "2.5"}).find("whole number"), std::string::npos);
  EXPECT_NE(fault({"--epochs", "99999999999999999999"}).find("whole number"), std::string::npos);
  EXPECT_NE(fault({"--epochs="}).find("epochs"), std::string::npos);
  EXPECT_NE(fault({"--filters", "3,,4"}).find("empty element"), std::string::npos);
  EXPECT_NE(fault({"--metric", "acuracy"}).find("accuracy|macro-recall"), std::string::npos);
  EXPECT_NE(fault({"--batch-norm-stats", "group:1"}).find("group"), std::string::npos);
  EXPECT_NE(fault({"--kernels", "4"}).find("even"), std::string::npos);
  EXPECT_NE(fault({"--kernels", "3,3"}).find("2 values for 5 layers"), std::string::npos);
  EXPECT_NE(fault({"--crop-scale", "1,0.5"}).find("pair"), std::string::npos);
  EXPECT_NE(fault({"--augment=maybe"}).find("neither"), std::string::npos);
}

TEST(Options, MisspeltNamesFindTheirNeighbour) {
  EXPECT_NE(fault({"--epoch", "3"}).find("did you mean epochs?"), std::string::npos);
  EXPECT_NE(fault({"--learning-rate", "3"}).find("no option --learning-rate"), std::string::npos);
  // Boost would guess a unique prefix; a typing mistake must not become another option.
  EXPECT_NE(fault({"--filt", "3"}).find("no option"), std::string::npos);
}

TEST(Options, ConfigFilesNameFileAndLine) {
  const auto fault_of = [](const std::string& text) -> std::string {
    try {
      Options::from_ini(Command::train, text, "x.ini");
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_NE(fault_of("data = a\nrunn = 3\n").find("x.ini:2"), std::string::npos);
  EXPECT_NE(fault_of("data = a\n[model]\nlr = 3\n").find("move it to [training]"), std::string::npos);
  EXPECT_NE(fault_of("data = a\nlr = 1\nlr = 2\n").find("set twice (line 2 too)"), std::string::npos);
  EXPECT_NE(fault_of("data = a\nnonsense\n").find("neither a section"), std::string::npos);
  EXPECT_NE(fault_of("data = a\nlr = nan\n").find("x.ini:2"), std::string::npos);
  EXPECT_NE(fault_of("lr = 0.1\n").find("--data is missing"), std::string::npos);
  EXPECT_NE(fault_of("data = a\nprint-model = true\n").find("command line"), std::string::npos);
}

TEST(Options, BenchLoaderTakesATrainingRunsConfigAndItsLoaderPart) {
  const testing::TemporaryFolder folder;
  const std::filesystem::path file = folder / "run.ini";
  write_file_atomically(file, train({"--augment", "--filters", "8,16", "--prefetch", "7", "--lr", "0.5"}).to_ini());
  const Options options = Options::parse(Command::bench_loader, {"--config", file.string(), "--seconds", "2"});
  const LoaderConfig config = LoaderConfig::from(options);
  EXPECT_EQ(config.prefetch, 7);
  EXPECT_EQ(config.data, "d");
  EXPECT_TRUE(config.augmentation.on);
  EXPECT_EQ(config.eval_split, "none");
  write_file_atomically(file, "shard-mib = 3\n");
  EXPECT_THROW(Options::parse(Command::bench_loader, {"--config", file.string(), "--data", "d"}), Error)
      << "no option of either command";
  EXPECT_THROW(Options::parse(Command::bench_loader, {"--data", "d", "--lr", "0.5"}), Error) << "on the command line";
}

TEST(Options, TheWrittenConfigReadsBackToItself) {
  const Options options = train({"--filters", "8,16", "--augment", "--lr", "0.125", "--metric", "loss"});
  const std::string text = options.to_ini();
  EXPECT_EQ(Options::from_ini(Command::train, text, "again").to_ini(), text);
}

TEST(Options, AListOfPathsHasOneInEachPlaceWhereItIsSaid) {
  using Paths = std::vector<std::filesystem::path>;
  const auto evaluate = [](const Words& words) { return Options::parse(Command::evaluate, words); };
  const Options said = evaluate({"--run", "a,b", "--run=c d"});
  EXPECT_EQ(said.paths("run"), (Paths{"a,b", "c d"}));
  const std::string ini = said.to_ini();
  EXPECT_NE(ini.find("\nrun = a,b\nrun = c d\n"), std::string::npos) << ini;
  EXPECT_EQ(Options::from_ini(Command::evaluate, ini, "again").paths("run"), said.paths("run"));
  const testing::TemporaryFolder folder;
  write_file_atomically(folder / "e.ini", "run = x\nrun = y\n");
  const std::string file = (folder / "e.ini").string();
  EXPECT_EQ(evaluate({"--config", file}).paths("run"), (Paths{"x", "y"}));
  EXPECT_EQ(evaluate({"--config", file, "--run", "z"}).paths("run"), (Paths{"z"}));
  EXPECT_THROW(evaluate({"--run", ""}), Error);
  EXPECT_THROW(evaluate({}), Error);
  for (const std::filesystem::path& path : said.with_absolute_paths().paths("run")) EXPECT_TRUE(path.is_absolute());
  EXPECT_TRUE(evaluate({"--run", "r", "--run", "s"}).differences(evaluate({"--run", "./r/", "--run", "s"})).empty());
}

TEST(RunConfig, ACustomNetworkIsDescribedByItsOptions) {
  const ModelConfig config = RunConfig::from(train({"--filters", "8,16", "--kernels", "5,3", "--dense", "7,9",
                                                    "--activation", "relu,mish,gelu,silu", "--no-batch-norm"}))
                                 .model;
  const ModelConfig again = model_config("custom", layer_options(config.custom));
  EXPECT_EQ(again.custom.filters, config.custom.filters);
  EXPECT_EQ(again.custom.kernels, config.custom.kernels);
  EXPECT_EQ(again.custom.dense, config.custom.dense);
  EXPECT_EQ(again.custom.activations, config.custom.activations);
  EXPECT_FALSE(again.custom.batch_norm);
  EXPECT_EQ(model_config("vgg11", {}).kind, ModelKind::vgg11);
}

TEST(OptionTable, HasNoNameTwiceInACommandAndOnlyDefaultsThatParse) {
  for (const CommandRow& command : command_table()) {
    std::set<std::string_view> names;
    std::map<std::string, std::string> defaults;
    for (const OptionRow& row : option_table()) {
      if (!takes(command.command, row)) continue;
      EXPECT_TRUE(names.insert(row.name).second) << row.name;
      if (row.required)
        defaults[std::string(row.name)] =
            row.type == OptionType::choice ? std::string(row.value.substr(0, row.value.find('|'))) : "x";
      else if (!row.fallback.empty())
        defaults[std::string(row.name)] = row.fallback;
    }
    EXPECT_NO_THROW(Options::from_values(command.command, defaults)) << command.name;
  }
}

TEST(Help, FitsAScreenAndEndsWithAnExample) {
  for (const CommandRow& command : command_table()) {
    const std::string text = help_text(command.command, false);
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 48) << command.name;
    EXPECT_NE(text.find("\nexample: lockstep " + std::string(command.name)), std::string::npos);
  }
}

TEST(RunConfig, ExpandsOneValueToAllLayers) {
  const RunConfig config = RunConfig::from(
      train({"--filters", "8,16,32", "--dense", "20,10", "--activation", "relu", "--dropout-conv", "0.25"}));
  EXPECT_EQ(config.model.custom.kernels, (std::vector<std::int64_t>{3, 3, 3}));
  EXPECT_EQ(config.model.custom.activations.size(), 5u);
  EXPECT_EQ(config.model.custom.dropout_conv, (std::vector<double>{0.25, 0.25, 0.25}));
  EXPECT_EQ(config.model.custom.dropout_dense.size(), 2u);
}

TEST(RunConfig, RandAugmentAndErasingAreCheckedAndNeedAugment) {
  const AugmentationConfig config =
      RunConfig::from(train({"--augment", "--randaugment", "2,9", "--random-erasing", "0.25"})).loader.augmentation;
  EXPECT_EQ(config.randaugment_ops, 2);
  EXPECT_EQ(config.randaugment_magnitude, 9);
  EXPECT_EQ(config.random_erasing, 0.25);
  EXPECT_NE(fault({"--augment", "--randaugment", "2"}).find("such as 2,9"), std::string::npos);
  EXPECT_NE(fault({"--augment", "--randaugment", "17,9"}).find("--randaugment"), std::string::npos);
  EXPECT_NE(fault({"--augment", "--randaugment", "2,31"}).find("--randaugment"), std::string::npos);
  EXPECT_NE(fault({"--randaugment", "2,9"}).find("--augment"), std::string::npos);
  EXPECT_NE(fault({"--random-erasing", "0.5"}).find("--augment"), std::string::npos);
  EXPECT_NE(fault({"--augment", "--random-erasing", "1.5"}).find("--random-erasing"), std::string::npos);
}

TEST(RunConfig, EveryNetworkHasAName) {
  for (const Architecture& row : architecture_table) {
    const RunConfig config = RunConfig::from(train({"--model", std::string(row.name)}));
    EXPECT_EQ(config.model.kind, row.kind);
    EXPECT_EQ(name_of(row.kind), row.name);
    EXPECT_EQ(config.model.has_batch_norm(), row.batch_norm);
    EXPECT_FALSE(config.model.dropout) << "its own rate";
  }
  EXPECT_NE(fault({"--model", "vgg17"}).find("vgg16|vgg16_bn|vgg19"), std::string::npos);
}

TEST(RunConfig, DropoutIsForNetworksThatHaveSome) {
  const Options options = train({"--model", "squeezenet1_1", "--dropout", "0.3"});
  EXPECT_EQ(RunConfig::from(options).model.dropout, 0.3);
  EXPECT_NE(options.to_ini().find("dropout = 0.3"), std::string::npos) << options.to_ini();
  EXPECT_NE(fault({"--model", "resnet50", "--dropout", "0.3"}).find("resnet50 has no dropout"), std::string::npos);
  EXPECT_NE(fault({"--dropout", "0.3"}).find("--dropout-conv"), std::string::npos);
}

TEST(RunConfig, LayersOfTheCustomCnnAreNoOptionsOfAResNet) {
  const std::string text = fault({"--model", "resnet18", "--filters", "8,16"});
  EXPECT_NE(text.find("--filters"), std::string::npos) << text;
  EXPECT_NE(text.find("resnet18"), std::string::npos) << text;
  EXPECT_NE(fault({"--model", "resnet50", "--no-batch-norm"}).find("--batch-norm"), std::string::npos);
  // The record of a run says every option, those of the custom CNN by their defaults.
  const std::string record = train({"--model", "resnet34", "--batch-norm-stats", "rank"}).to_ini();
  const RunConfig again = RunConfig::from(Options::from_ini(Command::train, record, "config.ini"));
  EXPECT_EQ(again.model.kind, ModelKind::resnet34);
  EXPECT_EQ(again.model.batch_norm_stats.over, BatchNormStats::Over::rank);
}

TEST(RunConfig, WhatIsFrozenIsSaidInOneWay) {
  const auto freeze = [](Words words) { return RunConfig::from(train(std::move(words))).model.freeze; };
  EXPECT_FALSE(freeze({}).any());
  EXPECT_FALSE(freeze({"--freeze-first", "0"}).any());
  EXPECT_EQ(freeze({"--freeze", "all-but-head"}).what, FreezeWhat::all_but_head);
  EXPECT_EQ(freeze({"--freeze", "head", "--freeze-fraction", "0"}).what, FreezeWhat::head);
  EXPECT_EQ(freeze({"--freeze-first", "7", "--freeze-by", "tensors"}).first, 7);
  EXPECT_EQ(freeze({"--freeze", "layer1, features.*"}).patterns, (Words{"layer1", "features.*"}));
  EXPECT_NE(fault({"--freeze", "head,layer1"}).find("names a part and more"), std::string::npos);
  EXPECT_NE(fault({"--freeze", "a,,b"}).find("empty element"), std::string::npos);
  EXPECT_NE(fault({"--freeze", "head", "--freeze-first", "2"}).find("says what is frozen already"), std::string::npos);
  EXPECT_NE(fault({"--freeze-first", "2", "--freeze-fraction", "0.5"}).find("says what is frozen already"),
            std::string::npos);
  EXPECT_NE(fault({"--freeze", "head", "--freeze-by", "tensors"}).find("has no effect without"), std::string::npos);
}

TEST(RunConfig, FrozenLayersNeedLearntWeights) {
  const auto model = [](Words words) { return RunConfig::from(train(std::move(words))).model; };
  EXPECT_THROW(require_learnt_weights(model({"--freeze-fraction", "0.5"}), false), Error);
  EXPECT_NO_THROW(require_learnt_weights(model({"--freeze-fraction", "0.5"}), true));
  EXPECT_NO_THROW(require_learnt_weights(model({"--freeze-fraction", "0.5", "--weights", "w.safetensors"}), false));
  EXPECT_NO_THROW(require_learnt_weights(model({"--freeze-fraction", "0.5", "--allow-random-frozen"}), false));
  EXPECT_NO_THROW(require_learnt_weights(model({}), false));
}

TEST(Options, BareWordsStandForOptionsWhereACommandSaysSo) {
  const Options options = Options::parse(Command::weights_convert, {"a.pth", "--model", "vgg16", "b.safetensors"});
  EXPECT_EQ(options.text("input"), "a.pth");
  EXPECT_EQ(options.text("output"), "b.safetensors");
  EXPECT_EQ(Options::parse(Command::weights_list, {"--file", "a.pth"}).text("file"), "a.pth");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"a", "b", "c"}, {"a"}, {"a", "b", "--input", "c"}, {}})
    EXPECT_THROW(Options::parse(Command::weights_convert, words), Error);
  EXPECT_THROW(Options::parse(Command::train, {"word", "--data", "d"}), Error);
}

TEST(RunConfig, LearningRatesOfGroupsAreChecked) {
  const OptimiserConfig usual = RunConfig::from(train({})).optimiser;
  EXPECT_FALSE(usual.has_groups());
  const OptimiserConfig groups = RunConfig::from(train({"--head-lr", "0.01", "--layer-decay", "0.8"})).optimiser;
  EXPECT_EQ(groups.head_lr, 0.01);
  EXPECT_EQ(groups.layer_decay, 0.8);
  EXPECT_NE(fault({"--head-lr", "0"}).find("out of range"), std::string::npos);
  EXPECT_NE(fault({"--layer-decay", "1.1"}).find("out of range"), std::string::npos);
}

TEST(RunConfig, UnfreezingFallsEpochByEpoch) {
  const auto freeze = [](Words words) { return RunConfig::from(train(std::move(words))).model.freeze; };
  const FreezeConfig config = freeze({"--freeze", "all-but-head", "--unfreeze-at", "3:0.5, 6:0"});
  ASSERT_EQ(config.unfreezings.size(), 2u);
  EXPECT_EQ(config.phase(0), 0u);
  EXPECT_EQ(config.phase(1), 0u) << "the second epoch";
  EXPECT_EQ(config.phase(2), 1u) << "the third";
  EXPECT_EQ(config.phase(5), 2u);
  EXPECT_EQ(config.in_phase(0).what, FreezeWhat::all_but_head);
  EXPECT_EQ(config.in_phase(1).what, FreezeWhat::share);
  EXPECT_EQ(config.in_phase(1).fraction, 0.5);
  EXPECT_FALSE(config.in_phase(2).any());
  const auto refused = [](const std::string& text) { return fault({"--freeze", "head", "--unfreeze-at", text}); };
  for (const std::string text : {"3", "1:0.5", "0:0", "3:1.5", "3:-1", "a:0", "3:b", "3:", ":0", "3:0.5:1", "2.5:0"})
    EXPECT_NE(refused(text).find("is no epoch from 2 on and a share from 0 to 1"), std::string::npos) << text;
  EXPECT_NE(refused("3:0.5,3:0").find("3:0 after 3:0.5"), std::string::npos);
  EXPECT_NE(refused("3:0.5,6:0.5").find("6:0.5 after 3:0.5"), std::string::npos);
  EXPECT_NE(refused("11:0").find("the run ends after 10 epochs"), std::string::npos);
  EXPECT_NE(fault({"--unfreeze-at", "3:0"}).find("has no effect without"), std::string::npos);
}

}  // namespace
}  // namespace lockstep

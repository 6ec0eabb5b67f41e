#include "lockstep/record/run_folder.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/record/json_log.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using testing::TemporaryFolder;

RunRecord some_record() {
  return {"/data/set",
          "0123",
          {"a", "b"},
          {8, 8, 3},
          6,
          8,
          {1.5f, 2.5f, 0.1f},
          {1, 1, 3},
          2,
          4,
          "cpu",
          {"resnet18", 100, 40, 240, {"conv1.weight"}},
          ParentRecord{"/runs/first", "best", "89ab", {{"lr", "0.001", "0.0003"}, {"weights", "nothing", "b"}}},
          "pad"};
}

Options some_options() { return Options::from_values(Command::train, {{"data", "d"}, {"lr", "0.125"}}); }

TEST(RunFolder, KeepsConfigAndRecord) {
  const TemporaryFolder folder;
  RunFolder::create(folder / "run", some_options(), some_record());
  const RunFolder run = RunFolder::open(folder / "run");
  EXPECT_EQ(run.options().to_ini(), some_options().to_ini());
  EXPECT_EQ(run.record().to_json(), some_record().to_json());
  EXPECT_EQ(run.record().mean, some_record().mean) << "floats survive exactly";
}

TEST(RunFolder, OlderRecordsDoNotSayHowImagesWereResized) {
  nlohmann::json json = nlohmann::json::parse(some_record().to_json());
  EXPECT_EQ(RunRecord::from_json(json.dump(), "run.json").resize, "pad");
  json["data"].erase("resize");
  EXPECT_EQ(RunRecord::from_json(json.dump(), "run.json").resize, "crop");
}

TEST(RunFolder, ExistingFoldersAreNotOverwritten) {
  const TemporaryFolder folder;
  RunFolder::create(folder / "run", some_options(), some_record());
  EXPECT_THROW(RunFolder::create(folder / "run", some_options(), some_record()), Error);
  std::filesystem::create_directory(folder / "empty");
  EXPECT_NO_THROW(RunFolder::create(folder / "empty", some_options(), some_record()));
}

TEST(RunFolder, OtherFoldersAndVersionsAreToldApart) {
  const TemporaryFolder folder;
  EXPECT_THROW(RunFolder::open(folder / "nothing"), Error);
  EXPECT_THROW(RunFolder::open(folder.path()), Error);
  std::string json = some_record().to_json();
  json.replace(json.find("\"format_version\": 1"), 19, "\"format_version\": 9");
  try {
    RunRecord::from_json(json, "run.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("version 9"), std::string::npos);
    EXPECT_NE(error.message().find("reads 1"), std::string::npos);
  }
  EXPECT_THROW(RunRecord::from_json("{}", "run.json"), Error);
  EXPECT_THROW(RunRecord::from_json("nonsense", "run.json"), Error);
}

TEST(JsonLog, AppendsALineAtATimeInTheGivenOrder) {
  const TemporaryFolder folder;
  JsonLog(folder / "log")
      .write({{"event", std::string("step")}, {"step", std::int64_t{3}}, {"loss", 0.5}, {"best", true}});
  JsonLog(folder / "log").write({{"loss", std::nan("")}});
  std::istringstream lines(read_file(folder / "log"));
  std::string first, second;
  std::getline(lines, first);
  std::getline(lines, second);
  EXPECT_EQ(first, R"({"event":"step","step":3,"loss":0.5,"best":true})");
  EXPECT_TRUE(nlohmann::json::parse(second)["loss"].is_null());
}

}  // namespace
}  // namespace lockstep

#include "lockstep/data/manifest.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"

namespace lockstep {
namespace {
namespace fs = std::filesystem;

Manifest example() {
  Manifest manifest;
  manifest.classes = {"ant", "bee", "\u00e9l\u00e9phant"};
  manifest.shape = {4, 6, 1};
  manifest.mean = {127.25};
  manifest.std = {1.0 / 3};
  manifest.splits = {
      {"train",
       5,
       {2, 2, 1},
       {{"shards/train-00000.h5", 3, 900, "0123456789abcdef"}, {"shards/train-00001.h5", 2, 800, "fedcba9876543210"}}},
      {"test", 0, {0, 0, 0}, {}}};
  manifest.status_counts = {{"ok", 5}, {"refused", 1}};
  manifest.settings = {{"source", "class-folders"}};
  return manifest;
}

std::string failure(const std::string& json) {
  try {
    Manifest::from_json(json, "m.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// The example with one piece of its text replaced; the piece must be there.
std::string with(const std::string& from, const std::string& to) {
  std::string json = example().to_json();
  const std::size_t at = json.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return json.replace(at, from.size(), to);
}

TEST(Manifest, RoundTrip) {
  const std::string json = example().to_json();
  const Manifest back = Manifest::from_json(json, "m.json");
  EXPECT_EQ(back.to_json(), json);
  EXPECT_EQ(back.std[0], 1.0 / 3);
  EXPECT_EQ(back.split("train").shards[1].bytes, 800);
  EXPECT_EQ(back.digest(), example().digest());
}

TEST(Manifest, UnknownFieldsAreLeftToLaterVersions) {
  EXPECT_EQ(failure(with("\"classes\"", "\"colour\": {\"a\": [1]}, \"classes\"")), "no error");
}

TEST(Manifest, OtherVersionSaysBoth) {
  const std::string text = failure(with("\"format_version\": 2", "\"format_version\": 3"));
  EXPECT_NE(text.find("version 3, this program reads 1 to 2"), std::string::npos) << text;
}

TEST(Manifest, TheFirstVersionHadNoStoreAndNoWeights) {
  std::string json = with("\"format_version\": 2", "\"format_version\": 1");
  for (const std::string line : {" \"store\": \"raw\",\n", " \"weighted\": false,\n"}) {
    ASSERT_NE(json.find(line), std::string::npos) << json;
    json.erase(json.find(line), line.size());
  }
  const Manifest manifest = Manifest::from_json(json, "m.json");
  EXPECT_EQ(manifest.store, Store::raw);
  EXPECT_FALSE(manifest.weighted);
}

TEST(Manifest, StoreAndWeightsComeBack) {
  Manifest manifest = example();
  manifest.store = Store::jpeg;
  manifest.weighted = true;
  const Manifest back = Manifest::from_json(manifest.to_json(), "m.json");
  EXPECT_EQ(back.store, Store::jpeg);
  EXPECT_TRUE(back.weighted);
  EXPECT_NE(failure(with("\"raw\"", "\"png\"")).find("field 'store' is \"png\", raw or jpeg expected"),
            std::string::npos);
}

TEST(Manifest, ErrorsNameTheField) {
  const std::vector<std::array<std::string, 3>> cases = {
      {"\"mean\"", "\"men\"", "field 'mean' is missing"},
      {"\"height\": 4", "\"height\": \"4\"", "field 'shape.height' is \"4\""},
      {"\"height\": 4", "\"height\": 0", "field 'shape.height' is 0"},
      {"\"channels\": 1", "\"channels\": 2", "field 'shape.channels' is 2, 1 or 3 expected"},
      {"\"samples\": 5", "\"samples\": 6", "field 'splits[0].samples' is 6"},
      {"\"samples\": 5", "\"samples\": 5.5", "field 'splits[0].samples' is 5.5"},
      {"\"samples\": 5", "\"samples\": 18446744073709551615", "field 'splits[0].samples'"},
      {"\"samples\": 3", "\"samples\": -3", "field 'splits[0].shards[0].samples' is -3"},
      {"\"bytes\": 900", "\"bytes\": 71", "field 'splits[0].shards[0].bytes' is 71"},
      {"shards/train-00000.h5", "../secret.h5", "file name inside"},
      {"shards/train-00000.h5", "/etc/passwd", "file name inside"},
      {"0123456789abcdef", "0123", "16 hexadecimal digits"},
      {"\"test\"", "\"train\"", "field 'splits[1].name' is \"train\""},
      {"\"bee\"", "\"ant\"", "classes that differ"},
      {"127.25", "-1", "field 'mean[0]' is -1"},
      {"127.25", "1e999", "number overflow"},
      {"\"ok\": 5", "\"ok\": null", "field 'status_counts.ok' is null"},
      {"{", "[", "not JSON"},
  };
  for (const auto& [from, to, expected] : cases) {
    const std::string text = failure(with(from, to));
    EXPECT_NE(text, "no error") << to;
    EXPECT_NE(text.find(expected), std::string::npos) << text;
    EXPECT_NE(text.find("m.json"), std::string::npos) << text;
  }
}

TEST(Manifest, AnyCutIsAnError) {
  const std::string json = example().to_json();
  for (std::size_t length = 0; length + 2 < json.size(); ++length) {
    EXPECT_NE(failure(json.substr(0, length)), "no error") << length;
  }
}

TEST(Manifest, UnknownSplitListsTheOthers) {
  try {
    example().split("val");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("train, test"), std::string::npos);
  }
}

TEST(Manifest, DigestFollowsTheShards) {
  Manifest other = example();
  other.splits[0].shards[1].checksum = "0000000000000000";
  EXPECT_NE(other.digest(), example().digest());
  other = example();
  other.settings["seed"] = "7";
  EXPECT_EQ(other.digest(), example().digest());
}

TEST(Manifest, MissingOnesAreToldApart) {
  const fs::path folder = fs::path(::testing::TempDir()) / ("manifest_" + std::to_string(::getpid()));
  const auto failure_of = [](const fs::path& path) -> std::string {
    try {
      Manifest::load(path);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_NE(failure_of(folder).find("no such data set"), std::string::npos);
  fs::create_directories(folder);
  EXPECT_NE(failure_of(folder).find("no manifest.json"), std::string::npos);
  fs::create_directories(folder / "shards");
  EXPECT_NE(failure_of(folder).find("did not finish"), std::string::npos);
  example().save(folder);
  EXPECT_EQ(Manifest::load(folder).to_json(), example().to_json());
  EXPECT_NE(failure_of(folder / "manifest.json").find("no such data set"), 0u);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace lockstep

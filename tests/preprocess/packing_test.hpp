// A test that packs small sets of its own: class folders below in/, packed at 16 × 16 pixels unless it says otherwise.
#pragma once
#include <gtest/gtest.h>

#include "lockstep/data/manifest.hpp"
#include "lockstep/data/shard.hpp"
#include "preprocess/pack.hpp"
#include "test_files.hpp"

namespace lockstep::preprocess {

class PackingTest : public ::testing::Test {
 protected:
  using Values = std::map<std::string, std::string>;

  PackingTest() { log_.quiet(); }

  /// Packs class folders below in/ into `output`, unless `values` say otherwise.
  Manifest pack_into(const std::string& output, Values values = {}) {
    values.emplace("source", "class-folders");
    if (values["source"] != "generated") values.emplace("input", (folder_ / "in").string());
    values.emplace("output", (folder_ / output).string());
    values.emplace("side", "16");
    pack(PackSettings::from(Options::from_values(Command::preprocess, values)), world_, log_);
    return Manifest::load(folder_ / output);
  }
  std::string failure(const std::string& output, const Values& values = {}) {
    return failure_of([&] { pack_into(output, values); });
  }
  /// `count` images of each of the classes a and b.
  void make_images(int count) const {
    for (int i = 0; i < count; ++i) {
      folder_.file("in/a/" + std::to_string(i) + ".png", encoded(".png", {20 + i, 30}, i));
      folder_.file("in/b/" + std::to_string(i) + ".jpg", encoded(".jpg", {40, 24 + i}, 200 - i));
    }
  }
  std::vector<Shard> shards(const std::string& output, const Manifest& manifest, const std::string& split) const {
    std::vector<Shard> opened;
    for (const ShardEntry& entry : manifest.split(split).shards) {
      Shard::verify(folder_ / output / entry.file, entry);
      opened.emplace_back(folder_ / output / entry.file, entry, manifest.shard_format(),
                          static_cast<std::int64_t>(manifest.classes.size()));
    }
    return opened;
  }

  /// Files that only one of two packings has, or that differ.
  std::vector<std::string> differing_files(const std::string& a, const std::string& b) const {
    std::map<std::string, std::string> contents[2];
    for (const auto& [content, name] : {std::pair(&contents[0], a), std::pair(&contents[1], b)}) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ / name)) {
        if (entry.is_regular_file())
          (*content)[entry.path().lexically_relative(folder_ / name).string()] = read_file(entry.path());
      }
    }
    std::vector<std::string> different;
    for (const auto& [file, content] : contents[0]) {
      if (!contents[1].contains(file) || contents[1][file] != content) different.push_back(file);
    }
    for (const auto& [file, content] : contents[1]) {
      if (!contents[0].contains(file)) different.push_back(file);
    }
    return different;
  }

  TemporaryFolder folder_;
  World world_;
  Log log_{0, 1};
};

}  // namespace lockstep::preprocess

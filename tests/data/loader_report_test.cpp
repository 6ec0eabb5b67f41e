#include "lockstep/data/loader_report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace lockstep {
namespace {

constexpr LoaderSetting jpeg_on_four_cores{Store::jpeg, {100, 100, 3}, 3, 4};

/// Ten seconds of four threads, in which stages took so many of the threads' 40 seconds; 1000 images of 10 kB.
LoaderFigures figures(double read, double decode, double transform) {
  LoaderFigures f;
  f.seconds = 10;
  f.cpu_seconds = 20;
  f.threads = 4;
  f.batches = 10;
  f.batch_samples = 1000;
  f.costs = {{read, 10'000'000}, {decode, 30'000'000}, {transform, 120'000'000}, 1000};
  return f;
}

TEST(LoaderReport, DecodingIsMeasuredAgainstReadingRawPixels) {
  const LoaderReport report = judge(figures(1, 30, 9), jpeg_on_four_cores);
  EXPECT_EQ(report.limit, LoaderLimit::decoding);
  ASSERT_EQ(report.advice.size(), 1u);
  // Raw images are three times as large: 3 s of reading and 9 of transforming in place of 40.
  EXPECT_DOUBLE_EQ(report.advice[0].gain, 40.0 / 12);
  EXPECT_NE(report.advice[0].text.find("--store raw would give 3.3×"), std::string::npos) << report.advice[0].text;
  EXPECT_NE(report.advice[0].text.find("3.0 times as large"), std::string::npos) << report.advice[0].text;
}

TEST(LoaderReport, DecodingThatTakesLittleIsNotBlamed) {
  EXPECT_TRUE(judge(figures(5, 1, 34), jpeg_on_four_cores).advice.empty());
}

TEST(LoaderReport, IdleThreadsAskForMoreBatchesAhead) {
  const LoaderReport report = judge(figures(2, 0, 18), jpeg_on_four_cores);
  EXPECT_EQ(report.limit, LoaderLimit::waiting);
  EXPECT_DOUBLE_EQ(report.figures.waiting(), 0.5);
  ASSERT_EQ(report.advice.size(), 1u);
  EXPECT_DOUBLE_EQ(report.advice[0].gain, 2);
  EXPECT_NE(report.advice[0].text.find("--prefetch 6"), std::string::npos) << report.advice[0].text;
}

TEST(LoaderReport, ReadsAreBlamedOnTheDiskOnlyIfItDeliveredThem) {
  LoaderFigures f = figures(30, 0, 10);
  EXPECT_EQ(judge(f, jpeg_on_four_cores).limit, LoaderLimit::reading);
  EXPECT_TRUE(judge(f, jpeg_on_four_cores).advice.empty()) << "nobody knows where the bytes came from";
  f.disk_bytes = 1'000'000;
  EXPECT_TRUE(judge(f, jpeg_on_four_cores).advice.empty());
  f.disk_bytes = 9'000'000;
  const LoaderReport report = judge(f, jpeg_on_four_cores);
  ASSERT_EQ(report.advice.size(), 1u);
  EXPECT_DOUBLE_EQ(report.advice[0].gain, 4);
  EXPECT_NE(report.advice[0].text.find("90 % of the bytes"), std::string::npos) << report.advice[0].text;
}

TEST(LoaderReport, CoresWithoutAThreadAreNamedAndTheLargestGainComesFirst) {
  LoaderFigures f = figures(1, 30, 9);
  LoaderSetting setting = jpeg_on_four_cores;
  setting.cores = 32;
  const LoaderReport report = judge(f, setting);
  ASSERT_EQ(report.advice.size(), 2u);
  EXPECT_DOUBLE_EQ(report.advice[0].gain, 8);
  EXPECT_NE(report.advice[0].text.find("--loader-threads 32"), std::string::npos) << report.advice[0].text;
  f.ranks = 4;
  EXPECT_NE(judge(f, setting).advice[0].text.find("--loader-threads 8"), std::string::npos);
}

TEST(LoaderReport, RanksAddUpAndTheSlowestOneTellsTheTime) {
  LoaderFigures sum = figures(1, 30, 9), other = figures(2, 20, 8);
  other.seconds = 12;
  sum.disk_bytes = 5;
  sum.add(of_text(to_text(other)));
  EXPECT_EQ(sum.ranks, 2);
  EXPECT_EQ(sum.threads, 8);
  EXPECT_EQ(sum.costs.samples, 2000);
  EXPECT_DOUBLE_EQ(sum.costs.decode.seconds, 50);
  EXPECT_DOUBLE_EQ(sum.images_per_second(), 2000.0 / 12);
  EXPECT_FALSE(sum.disk_bytes) << "one rank does not know";
}

TEST(LoaderReport, JsonAndTableSayTheSame) {
  LoaderFigures f = figures(1, 30, 9);
  f.disk_bytes = 2'000'000;
  const LoaderReport report = judge(f, jpeg_on_four_cores);
  const auto json = nlohmann::json::parse(json_of(report));
  EXPECT_EQ(json.at("images_per_second"), 100);
  EXPECT_EQ(json.at("images_per_cpu_second"), 50);
  EXPECT_EQ(json.at("limit"), "decoding");
  EXPECT_EQ(json.at("disk_bytes"), 2'000'000);
  EXPECT_NEAR(json.at("decode").at("share").get<double>(), 0.75, 1e-9);
  EXPECT_NEAR(json.at("decode").at("seconds_per_image").get<double>(), 0.03, 1e-9);
  EXPECT_NEAR(json.at("read").at("bytes_per_image").get<double>(), 10'000, 1e-9);
  EXPECT_EQ(json.at("advice").size(), report.advice.size());
  const std::string table = table_of(report);
  for (const char* part :
       {"images/s      100 on 4 threads of 1 rank; 50 for each core", "1.0 MB/s, 10.0 kB an image, 20 %",
        "12.0 MB/s, 120.0 kB an image", "75.0 % of the threads' time, 30000.0 µs", "limit         decoding"})
    EXPECT_NE(table.find(part), std::string::npos) << part << "\n" << table;
}

}  // namespace
}  // namespace lockstep

#include "lockstep/evaluate/metric_choice.hpp"

#include <gtest/gtest.h>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

Manifest manifest_of(const std::vector<std::int64_t>& validation, const std::vector<std::int64_t>& test) {
  Manifest manifest;
  manifest.classes = {"ant", "bee", "cow"};
  manifest.splits = {{"validation", 10, validation, {}}, {"test", 10, test, {}}};
  return manifest;
}

std::string failure(Metric metric, const Manifest& manifest, const std::vector<std::string>& splits) {
  try {
    check_metric(metric, manifest, splits);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(MetricChoice, OnlyWhatRanksScoresGathersThem) {
  for (const Metric metric : {Metric::auc, Metric::average_precision})
    EXPECT_EQ(scores_for(metric), KeepScores::on_every_rank);
  for (const Metric metric : {Metric::accuracy, Metric::top5_accuracy, Metric::balanced_accuracy, Metric::macro_recall,
                              Metric::macro_f1, Metric::kappa, Metric::mcc, Metric::loss})
    EXPECT_EQ(scores_for(metric), KeepScores::nowhere);
}

TEST(MetricChoice, ClassesWithoutASampleAreNamed) {
  const Manifest manifest = manifest_of({5, 0, 5}, {1, 1, 1});
  const std::string note = check_metric(Metric::auc, manifest, {"validation"});
  EXPECT_NE(note.find("1 of the 3 classes have no sample in validation ('bee'): auc"), std::string::npos) << note;
  EXPECT_EQ(check_metric(Metric::accuracy, manifest, {"validation"}), "");
  EXPECT_EQ(check_metric(Metric::auc, manifest, {"validation", "test"}), "") << "together they have all";
}

TEST(MetricChoice, OneClassAloneDefinesNoCurve) {
  const Manifest manifest = manifest_of({0, 10, 0}, {1, 1, 1});
  EXPECT_NE(failure(Metric::auc, manifest, {"validation"}).find("all its samples are of class 'bee'"),
            std::string::npos);
  EXPECT_NE(failure(Metric::kappa, manifest, {"validation"}).find("kappa is not defined"), std::string::npos);
  EXPECT_EQ(failure(Metric::accuracy, manifest, {"validation"}), "no error");
}

TEST(MetricChoice, LabelsMustBeThere) {
  const Manifest manifest = manifest_of({0, 0, 0}, {1, 1, 1});
  EXPECT_NE(failure(Metric::loss, manifest, {"validation"}).find("no sample of validation has a label"),
            std::string::npos);
  EXPECT_NE(failure(Metric::loss, manifest, {"gone"}).find("no split 'gone'"), std::string::npos);
}

}  // namespace
}  // namespace lockstep

#include "lockstep/evaluate/compare_predictions.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "lockstep/core/error.hpp"
#include "lockstep/evaluate/full_metrics.hpp"

namespace lockstep {
namespace {

struct Compared {
  Metrics metrics;
  std::vector<std::string> classes;
};

Compared compared(const std::string& predictions, const std::string& labels) {
  const ComparedPredictions found =
      compare_predictions(predictions_of(parse_csv(predictions, "p.csv")), parse_csv(labels, "t.csv"), {});
  return {full_metrics(found.samples, found.classes, {}), found.classes};
}

std::string failure(const std::string& predictions, const std::string& labels) {
  try {
    compared(predictions, labels);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

#define EXPECT_FAULT(predictions, labels, part) \
  EXPECT_NE(failure(predictions, labels).find(part), std::string::npos) << failure(predictions, labels)

TEST(ComparePredictions, LabelsAloneGiveWhatLabelsTell) {
  const Compared found = compared("id,label\n1,b\n2,a\n3,b\n4,b\n", "id,label\n4,b\n3,a\n2,a\n1,b\n");
  EXPECT_EQ(found.classes, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(found.metrics.accuracy, 0.75);
  EXPECT_FALSE(found.metrics.scored);
  EXPECT_EQ(found.metrics.macro.auc, std::nullopt);
  EXPECT_EQ(found.metrics.confusion, (std::vector<std::vector<std::int64_t>>{{1, 1}, {0, 2}}));
  const std::string json = metrics_object(found.metrics, found.classes);
  for (const char* absent : {"loss", "top5", "auc"}) EXPECT_EQ(json.find(absent), std::string::npos) << json;
}

TEST(ComparePredictions, ProbabilitiesGiveLossTopFiveAndAuc) {
  const Compared found = compared("id,label,x,y,z\n1,x,0.5,0.3,0.2\n2,z,0.6,0.1,0.3\n", "id,label\n2,y\n1,x\n");
  EXPECT_EQ(found.classes, (std::vector<std::string>{"x", "y", "z"}));
  EXPECT_NEAR(found.metrics.loss, -(std::log(0.5) + std::log(0.1)) / 2, 1e-12);
  EXPECT_EQ(found.metrics.accuracy, 0.5);
  EXPECT_EQ(found.metrics.top5, 1);
  EXPECT_EQ(found.metrics.confusion[1][2], 1) << "the label counts, not the largest probability";
  ASSERT_TRUE(found.metrics.macro.auc);
  EXPECT_EQ(*found.metrics.macro.auc, 0) << "of x and y, both ranked wrongly";
}

TEST(ComparePredictions, AProbabilityOfZeroIsNoInfiniteLoss) {
  EXPECT_NEAR(compared("id,label,x,y\n1,x,1,0\n", "id,label\n1,y\n").metrics.loss, 708.4, 0.1);
}

TEST(ComparePredictions, ExtensionsMayBeMissingOnOneSide) {
  EXPECT_EQ(compared("id,label\n1,b\nd/2.png,a\n", "id,label\n1.jpg,b\nd/2,a\n").metrics.accuracy, 1);
  EXPECT_EQ(compared("id,label\na.jpg,x\na.png,y\n", "id,label\na.png,y\na.jpg,x\n").metrics.accuracy, 1);
  EXPECT_FAULT("id,label\na.jpg,x\na.png,y\n", "id,label\na,y\na.jpg,x\n",
               "fit several rows of the other file: 1 ('a')");
  EXPECT_FAULT("id,label\na.jpg,x\n", "id,label\na.png,x\n", "ids without a prediction: 1 ('a.png') · p.csv");
}

TEST(ComparePredictions, NumbersOfClassesAreUnderstood) {
  const std::string by_name = "id,label,x,y\n1,y,0.2,0.8\n2,x,0.9,0.1\n",
                    by_number = "id,label,x,y\n1,1,0.2,0.8\n2,0,0.9,0.1\n";
  EXPECT_EQ(compared(by_number, "id,label\n1,y\n2,y\n").metrics.accuracy, 0.5);
  EXPECT_EQ(compared(by_name, "id,label\n1,1\n2,1\n").metrics.accuracy, 0.5);
  EXPECT_FAULT(by_name, "id,label\n1,1\n2,2\n",
               "labels that are no class of the predictions: 1 ('2' in line 3) · t.csv");
  EXPECT_FAULT(by_name, "id,label\n1,y\n2,1\n", "'1' in line 3");
  EXPECT_EQ(compared("id,label\n1,10\n2,9\n", "id,label\n1,10\n2,10\n").classes, (std::vector<std::string>{"9", "10"}));
  EXPECT_FAULT("id,label\n1,0\n2,1\n", "id,label\n1,cat\n2,dog\n",
               "no label occurs in both files ('cat' here, '0' there)");
}

TEST(ComparePredictions, FaultsNameTheIds) {
  const std::string two = "id,label\n1,a\n2,b\n";
  EXPECT_FAULT(two, "id,label\n1,a\n", "predictions without a label to compare with: 1 ('2') · t.csv");
  EXPECT_FAULT(two, two + "3,a\n4,a\n", "ids without a prediction: 2 ('3', '4') · p.csv");
  EXPECT_FAULT(two + "1,b\n", two, "the same id twice: 1 ('1' in lines 2 and 4) · p.csv");
  EXPECT_FAULT(two, two + "2,b\n", "the same id twice: 1 ('2' in lines 3 and 4) · t.csv");
  EXPECT_FAULT("id,label\n1,a\n2,\n", two, "ids without a label: 1 ('2') · p.csv");
  EXPECT_FAULT("id,label\n,a\n", two, "rows without an id: 1 (line 2) · p.csv");
  EXPECT_FAULT(two, "id,label\n", "no row below the header · t.csv");
  EXPECT_FAULT(two, "id,what\n1,a\n", "no column with the labels");
}

}  // namespace
}  // namespace lockstep

// Every figure beside what scikit-learn 1.9 gave for the same labels and scores (stored values; for the AUC of
// probabilities rounded to float32).
#include "lockstep/evaluate/full_metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

struct SklearnCase {
  std::string name;
  std::int64_t classes;
  std::vector<std::int64_t> labels;
  std::vector<float> scores;  // [sample · classes], logits
  double loss, accuracy, top5, macro_precision, macro_recall, macro_f1;
  std::vector<double> precision, recall, f1;  // [class]
  double auc;                                 // −1: undefined
};

const std::vector<SklearnCase>& sklearn_cases() {
  static const std::vector<SklearnCase> cases{
      {"random",
       4,
       {2, 3, 0, 3, 1, 2, 2, 1, 3, 0, 1, 1, 2, 1, 0, 0, 0, 0, 0, 3, 0, 2, 3},
       {-1.91700006f,  3.20000005f,   1.40600002f,   -3.46399999f,   -0.166999996f, -2.32599998f,  -1.25899994f,
        0.0240000002f, -0.426999986f, 1.10699999f,   -0.126000002f,  -1.17900002f,  0.819000006f,  1.65999997f,
        -3.28600001f,  0.486999989f,  -1.96099997f,  0.653999984f,   -2.579f,       0.0410000011f, -0.0759999976f,
        -0.609000027f, -1.09599996f,  -0.791999996f, -2.18300009f,   -2.71000004f,  1.45000005f,   -2.2190001f,
        2.34100008f,   2.43300009f,   -3.99600005f,  0.54400003f,    -2.20300007f,  0.0659999996f, 0.0869999975f,
        -2.977f,       0.532999992f,  -0.512000024f, 1.92400002f,    -2.36299992f,  1.47599995f,   -1.19799995f,
        -0.662999988f, -1.68099999f,  2.89700007f,   2.13599992f,    4.86299992f,   1.28400004f,   1.69000006f,
        1.68099999f,   -0.213f,       -0.140000001f, 2.70099998f,    0.207000002f,  0.377999991f,  -0.0419999994f,
        2.21799994f,   -0.730000019f, -0.305000007f, 0.485000014f,   1.20599997f,   -1.73000002f,  1.79200006f,
        -2.59699988f,  -1.40199995f,  -2.56500006f,  1.93400002f,    -0.721000016f, -0.941999972f, -2.27200007f,
        0.842000008f,  -2.1099999f,   -1.54400003f,  1.22800004f,    -2.39299989f,  -0.644999981f, -0.0140000004f,
        -0.890999973f, -0.108000003f, 3.67799997f,   -0.0340000018f, -2.51900005f,  -3.6730001f,   -0.409999996f,
        -0.704999983f, 0.529999971f,  0.0719999969f, -0.957000017f,  -1.44299996f,  -1.03999996f,  0.319999993f,
        0.238999993f},
       1.6975556600262023,
       0.30434782608695654,
       1.0,
       0.43601190476190477,
       0.3125,
       0.3360805860805861,
       {0.3333333333333333, 0.2857142857142857, 0.125, 1.0},
       {0.25, 0.4, 0.2, 0.4},
       {0.2857142857142857, 0.3333333333333333, 0.15384615384615385, 0.5714285714285714},
       0.6409722222222223},
      {"ties, two classes never present",
       5,
       {0, 2, 0, 1, 1, 1, 1, 2, 0, 2, 2, 2, 0, 1, 1, 0, 0},
       {2.0f, 0.0f, 2.0f, 0.0f, 1.0f, 1.0f, 0.0f, 2.0f, 1.0f, 2.0f, 0.0f, 1.0f, 1.0f, 1.0f, 0.0f, 2.0f, 1.0f,
        2.0f, 0.0f, 1.0f, 0.0f, 2.0f, 1.0f, 1.0f, 2.0f, 1.0f, 2.0f, 2.0f, 1.0f, 1.0f, 0.0f, 2.0f, 2.0f, 2.0f,
        1.0f, 0.0f, 2.0f, 0.0f, 2.0f, 0.0f, 0.0f, 0.0f, 1.0f, 0.0f, 0.0f, 0.0f, 2.0f, 0.0f, 0.0f, 1.0f, 0.0f,
        2.0f, 2.0f, 1.0f, 1.0f, 1.0f, 2.0f, 1.0f, 0.0f, 2.0f, 0.0f, 2.0f, 1.0f, 2.0f, 0.0f, 1.0f, 2.0f, 2.0f,
        0.0f, 1.0f, 0.0f, 2.0f, 1.0f, 0.0f, 2.0f, 2.0f, 0.0f, 1.0f, 1.0f, 2.0f, 2.0f, 1.0f, 2.0f, 0.0f, 1.0f},
       1.612259645996944,
       0.5294117647058824,
       1.0,
       0.5681818181818182,
       0.5111111111111112,
       0.4913165266106443,
       {0.75, 0.45454545454545453, 0.5, 0.0, 0.0},
       {0.5, 0.8333333333333334, 0.2, 0.0, 0.0},
       {0.6, 0.5882352941176471, 0.2857142857142857, 0.0, 0.0},
       0.552020202020202},
      {"a class never predicted nor present",
       3,
       {1, 1, 1, 0},
       {3.0f, 0.0f, 0.0f, 3.0f, 0.0f, 0.0f, 0.0f, 3.0f, 0.0f, 3.0f, 0.0f, 0.0f},
       1.5949229564209606,
       0.5,
       1.0,
       0.6666666666666666,
       0.6666666666666666,
       0.5,
       {0.3333333333333333, 1.0, 0.0},
       {1.0, 0.3333333333333333, 0.0},
       {0.5, 0.5, 0.0},
       0.6666666666666667},
      {"one sample",
       3,
       {2},
       {0.5f, 0.25f, -1.0f},
       2.1941121864019144,
       0.0,
       1.0,
       0.0,
       0.0,
       0.0,
       {0.0, 0.0, 0.0},
       {0.0, 0.0, 0.0},
       {0.0, 0.0, 0.0},
       -1.0},
      {"eight classes",
       8,
       {3, 5, 0, 1, 0, 7, 4, 3, 3, 0, 6, 6, 0, 4, 4, 3, 3, 7, 4},
       {-1.14999998f,   0.119999997f,   -0.709999979f,   -0.629999995f, -1.67999995f,   1.95000005f,
        0.920000017f,   -0.970000029f,  0.910000026f,    1.34000003f,   -2.3900001f,    -0.550000012f,
        -0.389999986f,  0.649999976f,   -0.119999997f,   -0.230000004f, -0.0599999987f, 1.85000002f,
        2.16000009f,    -0.519999981f,  -0.930000007f,   2.69000006f,   -0.980000019f,  -0.569999993f,
        0.0399999991f,  0.479999989f,   1.02999997f,     0.389999986f,  -0.870000005f,  0.50999999f,
        0.25f,          1.88f,          -0.00999999978f, -1.34000003f,  -1.04999995f,   1.45000005f,
        -0.540000021f,  -2.0999999f,    -0.579999983f,   0.0f,          1.19000006f,    -1.00999999f,
        0.670000017f,   0.800000012f,   -0.699999988f,   -0.189999998f, 1.76999998f,    1.72000003f,
        0.860000014f,   0.330000013f,   1.13999999f,     -0.140000001f, -0.100000001f,  -0.860000014f,
        0.00999999978f, -0.0799999982f, 2.76999998f,     -0.189999998f, 1.26999998f,    1.32000005f,
        -0.189999998f,  1.16999996f,    -2.18000007f,    0.0900000036f, 0.860000014f,   -2.4000001f,
        -1.15999997f,   1.05999994f,    -0.25999999f,    -1.10000002f,  -0.370000005f,  -0.540000021f,
        0.720000029f,   0.449999988f,   -0.280000001f,   -0.670000017f, -0.0500000007f, 1.33000004f,
        0.349999994f,   0.639999986f,   -0.150000006f,   -1.28999996f,  -0.709999979f,  0.649999976f,
        0.100000001f,   -0.899999976f,  -1.62f,          0.109999999f,  -0.340000004f,  -0.349999994f,
        -0.330000013f,  0.280000001f,   0.289999992f,    0.959999979f,  0.930000007f,   1.33000004f,
        0.810000002f,   -0.340000004f,  -0.0500000007f,  0.49000001f,   -0.310000002f,  0.550000012f,
        1.14999998f,    -0.800000012f,  -1.76999998f,    1.19000006f,   0.0199999996f,  0.709999979f,
        -1.33000004f,   1.73000002f,    0.74000001f,     -0.129999995f, -0.349999994f,  0.109999999f,
        -0.170000002f,  -0.280000001f,  -1.12f,          1.25999999f,   -0.0399999991f, 0.0700000003f,
        0.0900000036f,  -2.3599999f,    0.529999971f,    -0.330000013f, -0.289999992f,  0.0700000003f,
        -0.970000029f,  0.839999974f,   -0.699999988f,   -0.899999976f, -0.860000014f,  0.159999996f,
        0.75f,          -0.600000024f,  -1.50999999f,    1.05999994f,   -1.07000005f,   1.19000006f,
        -0.0500000007f, -0.699999988f,  -0.639999986f,   0.460000008f,  0.889999986f,   -0.200000003f,
        0.949999988f,   2.08999991f,    -0.209999993f,   -1.14999998f,  -1.04999995f,   -1.38999999f,
        -0.639999986f,  -0.720000029f},
       2.4442903435996954,
       0.05263157894736842,
       0.6842105263157895,
       0.041666666666666664,
       0.025,
       0.03125,
       {0.0, 0.0, 0.0, 0.3333333333333333, 0.0, 0.0, 0.0, 0.0},
       {0.0, 0.0, 0.0, 0.2, 0.0, 0.0, 0.0, 0.0},
       {0.0, 0.0, 0.0, 0.25, 0.0, 0.0, 0.0, 0.0},
       0.5429905295451515},
  };
  return cases;
}

std::vector<Prediction> predictions_of(const SklearnCase& c) {
  std::vector<Prediction> predictions;
  const auto width = static_cast<std::size_t>(c.classes);
  for (std::size_t i = 0; i < c.labels.size(); ++i) {
    predictions.push_back(
        predict(std::span(c.scores).subspan(i * width, width), static_cast<std::int64_t>(i), c.labels[i]));
  }
  return predictions;
}

/// Rounded as those that scikit-learn was given.
JudgedSamples judged(const SklearnCase& c) {
  JudgedSamples samples =
      judged_samples(predictions_of(c), std::vector<double>(c.scores.begin(), c.scores.end()), c.classes);
  for (double& probability : samples.probabilities) probability = static_cast<float>(probability);
  return samples;
}

TEST(Metrics, EqualScikitLearns) {
  for (const SklearnCase& c : sklearn_cases()) {
    SCOPED_TRACE(c.name);
    const Metrics m = compute_metrics(predictions_of(c), c.classes);
    EXPECT_NEAR(m.loss, c.loss, 1e-12);
    EXPECT_NEAR(m.accuracy, c.accuracy, 1e-12);
    EXPECT_NEAR(m.top5, c.top5, 1e-12);
    EXPECT_NEAR(m.macro.precision, c.macro_precision, 1e-12);
    EXPECT_NEAR(m.macro.recall, c.macro_recall, 1e-12);
    EXPECT_NEAR(m.macro.f1, c.macro_f1, 1e-12);
    for (std::size_t k = 0; k < c.precision.size(); ++k) {
      EXPECT_NEAR(m.classes[k].precision, c.precision[k], 1e-12);
      EXPECT_NEAR(m.classes[k].recall, c.recall[k], 1e-12);
      EXPECT_NEAR(m.classes[k].f1, c.f1[k], 1e-12);
    }
  }
}

TEST(Metrics, AucEqualsScikitLearnsTiesIncluded) {
  for (const SklearnCase& c : sklearn_cases()) {
    SCOPED_TRACE(c.name);
    Metrics m = compute_metrics(predictions_of(c), c.classes);
    rank_classes(m, judged(c));
    if (c.auc < 0)
      EXPECT_FALSE(m.macro.auc.has_value());
    else
      EXPECT_NEAR(m.macro.auc.value(), c.auc, 1e-12);
  }
}

TEST(Metrics, ConfusionCountsEverySampleOnce) {
  const SklearnCase& c = sklearn_cases().front();
  const Metrics m = compute_metrics(predictions_of(c), c.classes);
  std::int64_t total = 0;
  for (const auto& row : m.confusion) {
    for (const std::int64_t count : row) total += count;
  }
  EXPECT_EQ(total, m.samples);
}

TEST(Metrics, NoSampleIsAnErrorNotANan) { EXPECT_THROW(compute_metrics({}, 3), Error); }

TEST(Metrics, LargerScoresAreBetterAlsoForTheLoss) {
  Metrics good, bad;
  good.loss = 0.1;
  bad.loss = 2;
  EXPECT_GT(good.score(Metric::loss), bad.score(Metric::loss));
}

TEST(MetricsJson, KeepsTheOtherSplitsAndReadsBackExactly) {
  const SklearnCase& c = sklearn_cases().front();
  const Metrics m = compute_metrics(predictions_of(c), c.classes);
  const std::vector<std::string> names{"a", "b", "c", "d"};
  const std::string both = metrics_json(m, names, {"test", "best"}, metrics_json(m, names, {"validation", "best"}));
  const auto json = nlohmann::json::parse(both);
  EXPECT_EQ(json["splits"].size(), 2u);
  EXPECT_EQ(json["splits"]["test"]["loss"].get<double>(), m.loss);
  EXPECT_EQ(metrics_json(m, names, {"test", "best"}, both), both);
}

TEST(MetricsJson, SaysWhatIsUndefinedInsteadOfANumber) {
  const SklearnCase& c = sklearn_cases()[3];  // one sample
  const Metrics m = full_metrics(judged(c), {"a", "b", "c"}, {});
  const auto json = nlohmann::json::parse(metrics_object(m, {"a", "b", "c"}));
  EXPECT_TRUE(json["macro"]["auc_one_vs_rest"].is_null());
  EXPECT_TRUE(json["classes"][0]["auc"].is_null());
  EXPECT_TRUE(json["classes"][0]["average_precision"].is_null());
  EXPECT_TRUE(json["curves"]["classes"][0]["roc"].is_null());
  EXPECT_EQ(json["classes"][2]["average_precision"], 1);
  EXPECT_EQ(json["cohen_kappa"], 0) << "wrong, as by chance";
  EXPECT_EQ(json["intervals"]["accuracy"], (std::vector<double>{0, 0}));
  ASSERT_EQ(m.notes.size(), 3u);
  EXPECT_NE(m.notes[0].find("2 of the 3 classes without a sample ('a', 'b')"), std::string::npos) << m.notes[0];
  EXPECT_NE(m.notes[1].find("2 of the 3 classes never predicted ('b', 'c')"), std::string::npos) << m.notes[1];
  EXPECT_NE(m.notes[2].find("all samples are of one class"), std::string::npos) << m.notes[2];
}

TEST(MetricsTable, ShowsTheWorstOfManyClasses) {
  std::vector<Prediction> predictions;
  std::vector<std::string> names;
  for (std::int64_t c = 0; c < 60; ++c) {
    predictions.push_back({c, c, c == 7 ? 8 : c, 0, 0});
    names.push_back("class" + std::to_string(c));
  }
  const std::string text = format_metrics(compute_metrics(predictions, 60, false), names);
  EXPECT_NE(text.find("\nclass7 "), std::string::npos) << text;
  EXPECT_EQ(text.find("class59"), std::string::npos) << text;
  EXPECT_NE(text.find("40 more classes"), std::string::npos) << text;
}

}  // namespace
}  // namespace lockstep

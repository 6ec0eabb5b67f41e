// Ten losses of a tiny network, with batch norm and dropout on and a global batch that no rank count divides: the
// cheapest test of the whole of loading, forward, backward, exchange and update. Stored: 2026-11-21, one rank.
#pragma once
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lockstep/config/run_config.hpp"
#include "lockstep/train/trainer.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep::testing {

struct GoldenCurve {
  std::string name;
  std::map<std::string, std::string> options;  // beside golden_options()
  double tolerance;                            // relative
  std::vector<double> losses;                  // [step]
};

inline std::map<std::string, std::string> golden_options(const std::string& data) {
  return {{"data", data},
          {"filters", "6,10"},
          {"kernels", "3,5"},
          {"dense", "12"},
          {"activation", "mish,silu,relu"},
          {"batch", "13"},
          {"epochs", "3"},
          {"seed", "11"},
          {"dropout-conv", "0.2"},
          {"dropout-dense", "0.3"},
          {"augment", "true"},
          {"rotation", "10"},
          {"scaling", "0.1"},
          {"translation", "0.1"},
          {"colour-jitter", "0.2"},
          {"threads", "1"},
          {"loader-threads", "2"},
          {"bucket-mib", "0.01"}};
}

inline const std::vector<GoldenCurve>& golden_curves() {
  static const std::vector<GoldenCurve> curves{
      {"sgd",
       {{"optimiser", "sgd"}, {"lr", "0.05"}, {"nesterov", "true"}, {"weight-decay", "0.0005"}},
       1e-5,
       {1.46154198, 1.28118192, 1.00170091, 0.976927349, 1.03160609, 1.21933211, 1.21915597, 0.911599977, 1.05219115,
        1.03274448}},
      {"adam",
       {{"optimiser", "adam"}, {"lr", "0.003"}},
       1e-4,
       {1.46154198, 1.42512996, 0.870093126, 1.12236704, 1.34321418, 0.994026844, 1.14318818, 1.27655125, 1.17801512,
        1.12014881}},
      {"groups",
       {{"optimiser", "sgd"}, {"lr", "0.05"}, {"batch-norm-stats", "group:3"}, {"label-smoothing", "0.1"}},
       1e-5,
       {1.41461725, 1.38028292, 0.934461153, 1.22830772, 1.16298742, 1.12303103, 1.09713569, 1.04826382, 1.26043951,
        1.32803521}},
  };
  return curves;
}

/// The first ten losses of a run on these channels.
inline std::vector<double> run_curve(const GoldenCurve& curve, const std::string& data, const Manifest& manifest,
                                     RankCommunicators& channels) {
  auto options = golden_options(data);
  for (const auto& [name, value] : curve.options) options[name] = value;
  const RunConfig config = RunConfig::from(Options::from_values(Command::train, options));
  Log log(channels.control->rank(), channels.control->size());
  log.quiet();
  std::vector<double> losses;
  Trainer::Hooks hooks;
  hooks.on_step = [&](std::int64_t, const StepResult& result) { losses.push_back(result.loss); };
  hooks.stop_requested = [&] { return losses.size() >= 9; };
  Trainer(config, manifest, channels, log, hooks).run(std::nullopt);
  return losses;
}

inline void expect_curve(const GoldenCurve& curve, const std::vector<double>& losses) {
  ASSERT_EQ(losses.size(), curve.losses.size()) << curve.name;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_LE(std::abs(losses[i] - curve.losses[i]) / curve.losses[i], curve.tolerance)
        << curve.name << ", step " << i + 1 << ": " << losses[i] << " vs " << curve.losses[i];
  }
}

}  // namespace lockstep::testing

#include "lockstep/report/dot_plot.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace lockstep {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(RoundTicks, EncloseTheValuesAtRoundDistances) {
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {0, 1}, {0, 0.97}, {93.2, 97.6}, {0, 89.8}, {0, 1e-7}, {3, 3}, {0, 0}, {-5, 12}, {1e6, 1.0001e6}}) {
    SCOPED_TRACE(testing::Message() << low << " to " << high);
    const std::vector<double> ticks = round_ticks(low, high, 6);
    ASSERT_GE(ticks.size(), 2u);
    ASSERT_LE(ticks.size(), 6u);
    const double step = ticks[1] - ticks[0], slack = 1e-6 * step;
    EXPECT_LE(ticks.front(), low + slack);
    EXPECT_GE(ticks.back(), high - slack);
    const double mantissa = step / std::pow(10.0, std::floor(std::log10(step) + 1e-6));
    const bool is_round = std::abs(mantissa - 1) < 1e-6 || std::abs(mantissa - 2) < 1e-6 || std::abs(mantissa - 5) < 1e-6;
    EXPECT_TRUE(is_round || std::abs(mantissa - 10) < 1e-5) << step;
    for (std::size_t i = 1; i < ticks.size(); ++i) EXPECT_NEAR(ticks[i] - ticks[i - 1], step, slack);
  }
}

TEST(DotPlot, ShowsEveryMeasurementAndTheirMeans) {
  const std::string svg = dot_plot("a & b", {{"accuracy", "share", {{0, 1}, {0, 3}, {1, 4}}, true},
                                             {"nothing", "share", {}, true},
                                             {"time <s>", "share", {{0, 2}}, false}});
  EXPECT_EQ(count(svg, "<circle"), 4u);
  EXPECT_EQ(count(svg, "<polyline"), 2u) << "a panel without dots is left out";
  EXPECT_NE(svg.find("a &amp; b"), std::string::npos);
  EXPECT_NE(svg.find("time &lt;s>"), std::string::npos);
  EXPECT_NE(svg.find("viewBox=\"0 0 600 250\""), std::string::npos);
  // The axis of the first panel runs from 0 to 4: the mean 2 of the dots 1 and 3 lies half way up, 4 at the top.
  const std::size_t line = svg.find("points=\"");
  EXPECT_EQ(svg.substr(line, svg.find('"', line + 8) - line), "points=\"52.0,119.0 284.0,34.0");
}

}  // namespace
}  // namespace lockstep

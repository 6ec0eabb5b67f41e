#include "lockstep/weights/input_statistics.hpp"

#include <gtest/gtest.h>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

TEST(InputStatistics, TravelThroughMetadataToTheLastBit) {
  WeightFile weights;
  EXPECT_FALSE(input_statistics(weights, "w").has_value());
  const InputStatistics written{{103.939 / 255, 0.1, 1.0 / 3}, {0.229, 1, 0.5}};
  set_input_statistics(weights, written);
  const auto read = input_statistics(weights, "w");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->mean, written.mean);
  EXPECT_EQ(read->std, written.std);
}

TEST(InputStatistics, OneChannelTakesTheMeanOfThree) {
  const InputStatistics grey = InputStatistics{{0.5, 0.25, 0.75}, {1, 2, 3}}.grey();
  EXPECT_EQ(grey.mean, std::vector<double>{0.5});
  EXPECT_EQ(grey.std, std::vector<double>{2});
}

TEST(InputStatistics, DamagedValuesAreErrorsThatNameTheFile) {
  using Metadata = std::map<std::string, std::string>;
  for (const Metadata& damaged :
       {Metadata{{"input_mean", "0.5"}}, Metadata{{"input_std", "1"}},
        Metadata{{"input_mean", "0.5,"}, {"input_std", "1,1"}}, Metadata{{"input_mean", "0.5,0.5"}, {"input_std", "1"}},
        Metadata{{"input_mean", "nan"}, {"input_std", "1"}}, Metadata{{"input_mean", "0.5"}, {"input_std", "0"}},
        Metadata{{"input_mean", ""}, {"input_std", ""}}, Metadata{{"input_mean", "0.5x"}, {"input_std", "1"}}}) {
    try {
      input_statistics({{}, damaged, {}}, "w.safetensors");
      ADD_FAILURE() << "damaged statistics were taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.where(), "w.safetensors");
    }
  }
}

}  // namespace
}  // namespace lockstep

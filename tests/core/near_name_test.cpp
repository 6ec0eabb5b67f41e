#include "lockstep/core/near_name.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(NearNames, AreThoseWithFewWrongLetters) {
  const std::vector<std::string> names{"layer1", "layer2", "layer1.0.conv1.weight", "fc"};
  EXPECT_EQ(nearest_name("layr2", names), "layer2");
  EXPECT_EQ(nearest_name("layer", names), "layer1") << "the first of equally near ones";
  EXPECT_EQ(nearest_name("layer1.0.cnv1.wieght", names), "layer1.0.conv1.weight");
  EXPECT_EQ(nearest_name("f", names), "fc");
  EXPECT_EQ(nearest_name("features", names), "");
  EXPECT_EQ(nearest_name("", names), "fc") << "two letters may be wrong";
  EXPECT_EQ(nearest_name("fc", {}), "");
}

}  // namespace
}  // namespace lockstep

#include "train/judged_pictures.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

using Ids = std::vector<std::int64_t>;

/// Sample `id` of class `label`, said to be `predicted`, with this loss.
Prediction said(std::int64_t id, std::int64_t label, std::int64_t predicted, double loss) {
  return {id, label, predicted, 0, loss};
}

TEST(JudgedPictures, WrongOnesFirstThenThoseFarthestFromTheirClass) {
  const std::vector<Prediction> predictions{said(1, 0, 0, 0.1), said(2, 1, 1, 0.6), said(3, 2, 0, 2.0),
                                            said(4, 3, 1, 5.0)};
  EXPECT_EQ(choose_pictures(predictions, 4), (Ids{4, 3, 2, 1}));
  EXPECT_EQ(choose_pictures(predictions, 1), (Ids{4}));
  EXPECT_EQ(choose_pictures(predictions, 0), Ids());
  EXPECT_EQ(choose_pictures(predictions, 9), (Ids{4, 3, 2, 1})) << "no more than there are";
  EXPECT_EQ(choose_pictures({}, 3), Ids());
}

TEST(JudgedPictures, OfDifferentClassesWhereThereAreEnough) {
  const std::vector<Prediction> predictions{said(1, 0, 1, 9), said(2, 0, 1, 8), said(3, 0, 1, 7), said(4, 1, 0, 1),
                                            said(5, 2, 2, 0.5)};
  EXPECT_EQ(choose_pictures(predictions, 3), (Ids{1, 4, 2})) << "a wrong one of a class again before a right one";
  EXPECT_EQ(choose_pictures(predictions, 9), (Ids{1, 4, 2, 3, 5}));
}

TEST(JudgedPictures, EqualOnesGoByTheirIds) {
  const std::vector<Prediction> predictions{said(7, 0, 1, 1), said(8, 1, 0, 1), said(9, 2, 0, 1)};
  EXPECT_EQ(choose_pictures(predictions, 2), (Ids{7, 8}));
}

TEST(JudgedPictures, IdsAsText) {
  EXPECT_EQ(ids_text({3, 17, 4000000000}), "3,17,4000000000");
  EXPECT_EQ(ids_of("3,17,4000000000"), (Ids{3, 17, 4000000000}));
  EXPECT_EQ(ids_of(""), Ids());
  EXPECT_EQ(ids_of("3,x"), Ids());
}

}  // namespace
}  // namespace lockstep

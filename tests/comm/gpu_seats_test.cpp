// Which ranks may train on which GPUs, decided without any.
#include "comm/gpu_seats.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace lockstep {
namespace {

GpuSeat seat(const std::string& host, const std::string& gpu, int visible = 2) { return {host, gpu, visible, "", {}}; }

std::string sentence_of(const std::vector<GpuSeat>& seats) {
  const auto fault = fault_of(seats);
  return fault ? fault->what() : "none";
}

TEST(GpuSeats, AGpuForEachRankIsRight) {
  EXPECT_FALSE(fault_of(std::vector{seat("a", "GPU-1"), seat("a", "GPU-2"), seat("b", "GPU-1"), seat("b", "GPU-2")}));
}

TEST(GpuSeats, TwoRanksOnOneGpuAreNamed) {
  const std::string text =
      sentence_of({seat("a", "GPU-1"), seat("b", "GPU-7"), seat("b", "GPU-9"), seat("b", "GPU-7")});
  EXPECT_NE(text.find("ranks 1 and 3 would share one GPU (GPU-7) · b · "), std::string::npos) << text;
  EXPECT_NE(text.find("at most 2 ranks on this host"), std::string::npos) << text;
}

TEST(GpuSeats, ARankWithoutAGpuIsNamedFirst) {
  std::vector<GpuSeat> seats{seat("a", "GPU-1"), seat("a", "GPU-1"), {"c", "", 0, "no driver", Exit::failed}};
  const std::string text = sentence_of(seats);
  EXPECT_NE(text.find("the GPU of rank 2 can't be used: no driver · c · "), std::string::npos) << text;
  seats[2].exit_code = Exit::defect;
  EXPECT_EQ(fault_of(seats)->exit_code(), Exit::defect);
}

TEST(GpuSeats, SurviveTheWayAsText) {
  const GpuSeat before{"host", "GPU-\"1\"", 3, "what · \xff broken bytes", Exit::usage};
  const GpuSeat after = GpuSeat::from_text(before.to_text());
  EXPECT_EQ(after.host, before.host);
  EXPECT_EQ(after.gpu, before.gpu);
  EXPECT_EQ(after.visible, 3);
  EXPECT_EQ(after.exit_code, Exit::usage);
  EXPECT_NE(after.failure.find("broken bytes"), std::string::npos);
}

}  // namespace
}  // namespace lockstep

#include "preprocess/output_claim.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lockstep/core/machine.hpp"
#include "packing_test.hpp"

namespace lockstep::preprocess {
namespace {
namespace fs = std::filesystem;

class OutputClaimTest : public PackingTest {
 protected:
  /// Another process claims the folder and is killed.
  void claim_and_die() const {
    const pid_t child = ::fork();
    if (child == 0) {
      const OutputClaim claim(folder_ / "out", log_);
      ::raise(SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    ASSERT_TRUE(fs::exists(owner_));
  }
  std::string claim_failure() const {
    return failure_of([&] { const OutputClaim claim(folder_ / "out", log_); });
  }

  const Log log_{0, 1};
  const fs::path owner_ = folder_ / "out/.packing/owner.json";
};

TEST_F(OutputClaimTest, EndsWithoutATrace) {
  {
    const OutputClaim claim(folder_ / "out", log_);
    EXPECT_TRUE(fs::exists(owner_));
  }
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(OutputClaimTest, ASecondPackingIsRefusedAndTouchesNothing) {
  make_images(4);
  {
    const OutputClaim claim(folder_ / "out", log_);
    folder_.file("out/shards/train-00000.h5", "being written by the first");
    const std::string text = failure("out");
    EXPECT_CONTAINS(text,
                    "another packing is at work here: process " + std::to_string(::getpid()) + " on " + host_name());
    EXPECT_CONTAINS(text, "remove " + owner_.string());
    EXPECT_EQ(read_file(folder_ / "out/shards/train-00000.h5"), "being written by the first");
    EXPECT_CONTAINS(claim_failure(), "another packing is at work here");
    EXPECT_TRUE(fs::exists(owner_));
  }
  EXPECT_EQ(failure("out"), "no error");
  EXPECT_FALSE(fs::exists(folder_ / "out/.packing"));
}

TEST_F(OutputClaimTest, AKilledOnesClaimIsTakenOver) {
  make_images(4);
  claim_and_die();
  EXPECT_EQ(failure("out"), "no error");
  EXPECT_FALSE(fs::exists(folder_ / "out/.packing"));
  claim_and_die();
  EXPECT_EQ(failure("out"), "no error") << "nothing to do";
  EXPECT_FALSE(fs::exists(folder_ / "out/.packing"));
}

TEST_F(OutputClaimTest, AProcessOfTheSameNumberIsAnother) {
  folder_.file("out/.packing/owner.json", "{\"host\": \"" + host_name() + "\", \"process\": " +
                                              std::to_string(::getpid()) + ", \"started\": \"before the last start\"}");
  EXPECT_EQ(claim_failure(), "no error");
}

TEST_F(OutputClaimTest, AFolderThatCannotBeMadeIsAnError) {
  folder_.file("out", "a file");
  EXPECT_NE(claim_failure(), "no error");
}

}  // namespace
}  // namespace lockstep::preprocess

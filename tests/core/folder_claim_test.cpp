// Claims of other hosts and of batch jobs; those of this host's processes: tests/preprocess/output_claim_test.cpp.
#include "lockstep/core/folder_claim.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

class FolderClaims : public ::testing::Test {
 protected:
  void SetUp() override { forget_job(); }
  void TearDown() override { forget_job(); }
  static void forget_job() {
    for (const char* name : {"SLURM_JOB_ID", "SLURM_RESTART_COUNT", "LOCKSTEP_SUBMITTED_AGAIN"}) ::unsetenv(name);
  }
  static void set(const char* name, const char* value) { ::setenv(name, value, 1); }
  /// As rank 0 of another host has just left it.
  void claim_elsewhere(const std::string& more) const {
    std::ofstream(file_) << R"({"host": "elsewhere", "process": 1, "started": "")" << more << "}";
  }
  std::string failure(const ClaimTimes& times) const {
    try {
      const FolderClaim claim(file_, work_, log_, times);
      return "";
    } catch (const Error& error) {
      return error.message() + " | " + error.where() + " | " + error.hint();
    }
  }

  testing::TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_ / "owner.json";
  const ClaimedWork work_{"training", folder_.path(), ", or choose another --run"};
  /// Of tests that wait for silence, and of those that end before it on the busiest machine.
  static constexpr ClaimTimes brief_{std::chrono::milliseconds(200), std::chrono::milliseconds(1000)};
  static constexpr ClaimTimes long_{std::chrono::milliseconds(200), std::chrono::hours(1)};
  const Log log_{0, 1};
};

TEST_F(FolderClaims, OfAnotherHostCountWhileTheyAreRenewed) {
  claim_elsewhere("");
  std::jthread other([this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(long_.renewal);
      std::error_code ignored;
      std::filesystem::last_write_time(file_, std::filesystem::file_time_type::clock::now(), ignored);
    }
  });
  EXPECT_EQ(failure(long_), "another training is at work here: process 1 on elsewhere | " + folder_.path().string() +
                                " | wait for its end, or choose another --run; if it runs no more, remove " +
                                file_.string());
  EXPECT_TRUE(std::filesystem::exists(file_));
}

TEST_F(FolderClaims, OfAnotherHostAreVoidWhenItFallsSilentOrNeverSaidItsName) {
  for (const bool named : {true, false}) {
    named ? claim_elsewhere("") : std::ofstream(file_).close();
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(failure(brief_), "");
    EXPECT_GE(std::chrono::steady_clock::now() - begun, brief_.silence - std::chrono::milliseconds(100));
    EXPECT_FALSE(std::filesystem::exists(file_));
  }
}

TEST_F(FolderClaims, AreRenewed) {
  const FolderClaim claim(file_, work_, log_, long_);
  const auto made = std::filesystem::last_write_time(file_);
  for (int i = 0; i < 100 && std::filesystem::last_write_time(file_) == made; ++i)
    std::this_thread::sleep_for(long_.renewal / 4);
  EXPECT_GT(std::filesystem::last_write_time(file_), made);
  EXPECT_FALSE(claim.lost());
}

TEST_F(FolderClaims, ThatSomebodyElseTookOverAreLostAndLeftAlone) {
  {
    const FolderClaim claim(file_, work_, log_, long_);
    std::filesystem::remove(file_);
    claim_elsewhere("");
    for (int i = 0; i < 100 && !claim.lost(); ++i) std::this_thread::sleep_for(long_.renewal / 4);
    EXPECT_TRUE(claim.lost());
  }
  EXPECT_TRUE(std::filesystem::exists(file_)) << "it is the other's";
}

/// Of many that find the same void claim at the same moment, one has the folder and the others are told.
TEST_F(FolderClaims, OneOfManyTakesOver) {
  set("SLURM_JOB_ID", "17");
  set("SLURM_RESTART_COUNT", "1");
  for (int round = 0; round < 60; ++round) {
    int gate[2];
    ASSERT_EQ(::pipe(gate), 0);
    claim_elsewhere(R"(, "job": "17", "job_start": 0)");
    std::vector<pid_t> running;
    for (int i = 0; i < 4; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::close(gate[1]);
        char none = 0;
        while (::read(gate[0], &none, 1) < 0) continue;  // until it is opened for all
        try {
          const FolderClaim claim(file_, work_, log_, long_);
          while (true) ::pause();
        } catch (const std::exception&) {
          ::_exit(1);
        }
      }
      running.push_back(child);
    }
    ::close(gate[0]);
    ::close(gate[1]);
    for (int i = 0; i < 3000 && running.size() > 1; ++i) {
      std::erase_if(running, [](pid_t child) { return ::waitpid(child, nullptr, WNOHANG) == child; });
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_EQ(running.size(), 1u);
    for (const pid_t child : running) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
    std::filesystem::remove(file_);
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << "nothing else is left";
  }
}

TEST_F(FolderClaims, OfAnEarlierStartOfTheJobAreVoid) {
  set("SLURM_JOB_ID", "17");
  set("SLURM_RESTART_COUNT", "2");
  for (const char* start : {"0", "1"}) {
    claim_elsewhere(std::string(R"(, "job": "17", "job_start": )") + start);
    EXPECT_EQ(failure(long_), "") << start;
    EXPECT_FALSE(std::filesystem::exists(file_));
  }
}

TEST_F(FolderClaims, OfThisStartOrAnotherJobAreWaitedFor) {
  set("SLURM_JOB_ID", "17");
  for (const char* more : {R"(, "job": "17", "job_start": 0)", R"(, "job": "16", "job_start": 0)"}) {
    claim_elsewhere(more);
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(failure(brief_), "") << more;
    EXPECT_GE(std::chrono::steady_clock::now() - begun, brief_.silence - std::chrono::milliseconds(100)) << more;
  }
}

TEST_F(FolderClaims, OfTheJobThatSubmittedThisOneAgainAreVoid) {
  set("SLURM_JOB_ID", "18");
  set("LOCKSTEP_SUBMITTED_AGAIN", "17");
  claim_elsewhere(R"(, "job": "17", "job_start": 3)");
  EXPECT_EQ(failure(long_), "");
}

TEST_F(FolderClaims, SayTheirJob) {
  set("SLURM_JOB_ID", "17");
  set("SLURM_RESTART_COUNT", "1");
  const FolderClaim claim(file_, work_, log_, long_);
  EXPECT_NE(read_file(file_).find(R"("job":"17","job_start":1)"), std::string::npos) << read_file(file_);
}

}  // namespace
}  // namespace lockstep

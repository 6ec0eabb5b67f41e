// Who works in a folder: a small file that names one process, so that no two write there at once. One process of a job,
// rank 0, has it for all; other programs' files are never touched.
//
// The file is {"host", "process", "started", "job", "job_start"}. A claim is void, and is taken over without a word, if
// - its process runs no more on this host, or
// - it is of an earlier start of this batch job: Slurm starts a job anew when the start before is over, often on other
//   hosts (SLURM_JOB_ID, SLURM_RESTART_COUNT; LOCKSTEP_SUBMITTED_AGAIN is the job that submitted this one in its
//   place), or
// - another host has not renewed it for ClaimTimes::silence: a thread renews it every ClaimTimes::renewal. (Clocks of
//   hosts may differ by a minute or so.) That is waited for, and said: to refuse would cost a batch job its place.
// A claim is lost where somebody else's stands in its place: this process was stopped for longer than that, or a person
// removed its file. It is found with the next renewal; whoever works there asks lost() and ends.
// So a program that was killed can go on at once where it ran and in a batch job, and elsewhere a little later; on a
// file system without unnamed files (NFS) also where it ran, if the kill came between the making of the file and its
// first byte.
// Errors: somebody is at work there (who, and which file says so); files that cannot be written.
#pragma once
#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "lockstep/core/log.hpp"

namespace lockstep {

/// What is claimed, in the words of its errors.
struct ClaimedWork {
  std::string name;              ///< "packing"
  std::filesystem::path folder;  ///< where it works
  std::string instead;           ///< ", or choose another --output"; empty: nothing else can be done
};

struct ClaimTimes {
  std::chrono::milliseconds renewal = std::chrono::seconds(20), silence = std::chrono::seconds(180);
};

class FolderClaim {
 public:
  static constexpr const char* usual_name = "owner.json";

  /// An error if the claim that `file` holds counts; may wait, as above. Writes nothing.
  static void check(const std::filesystem::path& file, const ClaimedWork& work, const Log& log,
                    const ClaimTimes& times = {});

  /// Claims the work; the folder of `file` is there.
  FolderClaim(std::filesystem::path file, const ClaimedWork& work, const Log& log, const ClaimTimes& times = {});
  /// Removes the file, if it is still this claim's.
  ~FolderClaim();
  FolderClaim(const FolderClaim&) = delete;
  FolderClaim& operator=(const FolderClaim&) = delete;

  /// From any thread.
  bool lost() const { return lost_; }

 private:
  /// Until the end.
  void renew(const std::stop_token& stop, std::chrono::milliseconds every);

  std::filesystem::path file_;
  std::string text_;
  std::atomic<bool> lost_ = false;
  std::jthread renewer_;
};

}  // namespace lockstep

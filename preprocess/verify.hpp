// `lockstep preprocess --verify DIR`: whether a data set is as it was packed, every byte of it.
//
// Every shard's checksum and all that Shard's constructor checks, spread over the threads of all ranks; on rank 0 that
// images.h5 can be read and that shards, table and manifest tell the same of every image (id, split, label, counts).
// What is damaged is named file by file; then an Error (exit code 1), on rank 0 alone. Memory per thread: one block of
// 4 MiB; on rank 0 the table, some 300 bytes an image.
#pragma once
#include <cstdint>
#include <filesystem>

#include "lockstep/comm/world.hpp"
#include "lockstep/config/options.hpp"
#include "lockstep/core/log.hpp"

namespace lockstep::preprocess {

struct VerifySettings {
  std::filesystem::path data_set;
  std::int64_t threads = 0;  ///< per rank; 0: this rank's share of the cores

  static VerifySettings from(const Options& options);
};

/// Called by every rank with the same settings. Errors: no data set; damaged files.
void verify_data_set(const VerifySettings& settings, World& world, const Log& log);

}  // namespace lockstep::preprocess

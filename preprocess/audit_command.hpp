// `lockstep preprocess --audit DIR`: the audit of a packed data set, as a table on stdout and as a JSON file.
//
// Rank 0 does it alone; other ranks return at once. Errors: no data set there; a table of images that is missing or
// damaged; what --fail-on names was found (after everything is printed and written); the JSON cannot be written.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

#include "lockstep/comm/world.hpp"
#include "lockstep/config/options.hpp"
#include "lockstep/data/image_table.hpp"
#include "lockstep/data/manifest.hpp"
#include "preprocess/findings.hpp"

namespace lockstep::preprocess {

inline constexpr const char* audit_file_name =
    "audit.json";  ///< in the data set's folder, unless another file is named

struct AuditSettings {
  std::filesystem::path data_set, file;
  std::vector<Finding> fail_on;
  std::int64_t threads = 0;  ///< 0: all cores of this rank

  static AuditSettings from(const Options& options);
};

/// The rows of the images that the manifest counts. Errors: see read_image_table().
std::vector<ImageRow> rows_of_set(const std::filesystem::path& data_set, const Manifest& manifest);

void audit_data_set(const AuditSettings& settings, World& world);

/// A usage error if options beside those of `mode` ("audit") were said, which would do nothing.
void reject_packing_options(const Options& options, const char* mode, const std::vector<std::string>& fitting);

}  // namespace lockstep::preprocess

#include "preprocess/audit_command.hpp"

#include <algorithm>

#include "lockstep/comm/core_share.hpp"
#include "lockstep/comm/run_in_world.hpp"
#include "lockstep/core/files.hpp"
#include "preprocess/audit_report.hpp"

namespace lockstep::preprocess {

AuditSettings AuditSettings::from(const Options& options) {
  reject_packing_options(options, "audit", {"audit", "audit-file", "fail-on", "threads"});
  AuditSettings settings{options.path("audit"), {}, wished_findings(options), options.integer("threads")};
  settings.file = options.has("audit-file") ? options.path("audit-file") : settings.data_set / audit_file_name;
  return settings;
}

std::vector<ImageRow> rows_of_set(const std::filesystem::path& data_set, const Manifest& manifest) {
  std::int64_t images = 0;
  for (const auto& [status, count] : manifest.status_counts) images += count;
  return read_image_table(data_set / image_table_name, images);
}

void audit_data_set(const AuditSettings& settings, World& world) {
  const std::int64_t cores = core_share(world);
  if (world.rank() != 0) return;
  const std::string name = settings.data_set.string();
  const Manifest manifest = Manifest::load(settings.data_set);
  const std::vector<ImageRow> rows = rows_of_set(settings.data_set, manifest);
  const Audit result = audit(rows, manifest, settings.threads > 0 ? settings.threads : cores);
  const Audited of{name, rows, manifest};
  say(world, to_table(result, of) + "\nall of it: " + settings.file.string() + "\n");
  write_file_atomically(settings.file, to_json(result, of));
  refuse_findings(result.counts(), settings.fail_on, name,
                  "the images are listed above and in " + settings.file.string());
}

void reject_packing_options(const Options& options, const char* mode, const std::vector<std::string>& fitting) {
  for (const OptionRow& row : option_table()) {
    const std::string name(row.name);
    if (options.said(name) && std::ranges::find(fitting, name) == fitting.end())
      options.reject(name, std::string("has no effect with --") + mode, "leave it away");
  }
}

}  // namespace lockstep::preprocess

#include "preprocess/journal.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "lockstep/core/files.hpp"
#include "preprocess/output_claim.hpp"

namespace lockstep::preprocess {
namespace fs = std::filesystem;
namespace {

constexpr const char* settings_name = "settings.json";
constexpr const char* record_extension = ".record";

std::vector<fs::path> files_in(const fs::path& folder) {
  std::error_code code;
  std::vector<fs::path> files;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
    files.push_back(it->path());
  return files;
}

/// Nothing where the bytes are none of a record.
std::optional<ShardRecord> read_record(const fs::path& file) {
  try {
    return ShardRecord::from_bytes(read_file(file));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

bool has_refusal(const ShardRecord& record) {
  return std::ranges::any_of(record.outcomes, [](const Outcome& outcome) { return !outcome.refusal.empty(); });
}

bool has_its_file(const fs::path& output, const ShardRecord& record) {
  std::error_code code;
  if (record.entry.samples == 0) return true;
  const auto bytes = fs::file_size(output / record.entry.file, code);
  return !code && bytes == static_cast<std::uint64_t>(record.entry.bytes);
}

}  // namespace

Journal::Journal(const fs::path& output) : output_(output), folder_(output / journal_folder) {}

std::optional<std::map<std::string, std::string>> Journal::settings() const {
  if (!fs::exists(folder_ / settings_name)) return std::nullopt;
  const auto root = nlohmann::json::parse(read_file(folder_ / settings_name), nullptr, false);
  std::map<std::string, std::string> settings;
  if (!root.is_object()) return std::nullopt;
  for (const auto& [name, value] : root.items()) settings[name] = value.is_string() ? value.get<std::string>() : "";
  return settings;
}

void Journal::begin(const std::map<std::string, std::string>& settings) const {
  make_folder(folder_);
  const nlohmann::json root = settings;
  write_file_atomically(folder_ / settings_name,
                        root.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

fs::path Journal::record_of(const ShardPlan& shard) const {
  return folder_ / fs::path(shard.file).filename().replace_extension(record_extension);
}

void Journal::keep(const ShardPlan& shard, const ShardRecord& record) const {
  write_file_atomically(record_of(shard), record.to_bytes());
}

std::vector<ShardRecord> Journal::finished(const Plan& plan, const PackSettings& settings) const {
  std::vector<ShardRecord> finished;
  std::set<fs::path> valid;
  for (std::size_t i = 0; i < plan.shards.size(); ++i) {
    const ShardPlan& shard = plan.shards[i];
    if (!fs::exists(record_of(shard))) continue;
    std::optional<ShardRecord> record = read_record(record_of(shard));
    const bool fits = record && record->outcomes.size() == shard.candidates.size() &&
                      record->digest == shard_digest(plan, shard, settings) && has_its_file(output_, *record);
    if (!fits || (settings.strict && has_refusal(*record))) continue;
    record->shard = static_cast<std::int64_t>(i);
    valid.insert(record_of(shard));
    finished.push_back(std::move(*record));
  }
  std::error_code ignored;
  for (const fs::path& file : files_in(folder_)) {
    if (!valid.contains(file) && file.filename() != settings_name && file.filename() != OutputClaim::file_name)
      fs::remove(file, ignored);
  }
  return finished;
}

std::int64_t Journal::records() const {
  return std::ranges::count_if(files_in(folder_),
                               [](const fs::path& file) { return file.extension() == record_extension; });
}

void Journal::remove() const noexcept {
  std::error_code ignored;
  for (const fs::path& file : files_in(folder_)) {
    if (file.filename() != OutputClaim::file_name) fs::remove_all(file, ignored);
  }
  fs::remove(folder_, ignored);  // fails while it is claimed
}

}  // namespace lockstep::preprocess

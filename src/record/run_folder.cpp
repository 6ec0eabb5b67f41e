#include "lockstep/record/run_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/json_fault.hpp"

namespace lockstep {
namespace fs = std::filesystem;

namespace {

nlohmann::ordered_json json_of(const ParentRecord& parent) {
  nlohmann::ordered_json changes = nlohmann::ordered_json::array();
  for (const auto& [option, before, now] : parent.changes)
    changes.push_back({{"option", option}, {"before", before}, {"now", now}});
  return {{"run", parent.run},
          {"weights", parent.weights},
          {"weights_digest", parent.weights_digest},
          {"changes", changes}};
}

ParentRecord parent_in(const nlohmann::json& json) {
  ParentRecord parent{json.at("run"), json.at("weights"), json.at("weights_digest"), {}};
  for (const auto& change : json.at("changes"))
    parent.changes.push_back({change.at("option"), change.at("before"), change.at("now")});
  return parent;
}

}  // namespace

std::string RunRecord::to_json() const {
  nlohmann::ordered_json json;
  json["format_version"] = format_version;
  json["lockstep"] = LOCKSTEP_VERSION;
  json["data"] = {{"folder", data},
                  {"digest", data_digest},
                  {"classes", classes},
                  {"packed", {packed.height, packed.width, packed.channels}},
                  {"resize", resize}};
  json["input"] = {{"side", side}, {"eval_resize", eval_resize}, {"mean", mean}, {"std", std}};
  json["ranks"] = ranks;
  json["threads_per_rank"] = threads_per_rank;
  json["device"] = device;
  json["network"] = {{"model", network.model},
                     {"parameters", network.parameters},
                     {"frozen_parameters", network.frozen_parameters},
                     {"gradient_bytes", network.gradient_bytes},
                     {"frozen", network.frozen}};
  if (parent) json["parent"] = json_of(*parent);
  return json.dump(2) + "\n";
}

RunRecord RunRecord::from_json(std::string_view text, const std::string& where) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (const int version = json.at("format_version"); version != format_version) {
      throw Error(fmt::format("a run of format version {}, this program reads {}", version, format_version), where,
                  "use the lockstep that made it, or train again");
    }
    RunRecord record;
    const auto &from = json.at("data"), &input = json.at("input");
    record.data = from.at("folder");
    record.data_digest = from.at("digest");
    record.classes = from.at("classes").get<std::vector<std::string>>();
    record.packed = {from.at("packed").at(0), from.at("packed").at(1), from.at("packed").at(2)};
    record.resize = from.value("resize", record.resize);
    record.side = input.at("side");
    record.eval_resize = input.at("eval_resize");
    record.mean = input.at("mean").get<std::vector<float>>();
    record.std = input.at("std").get<std::vector<float>>();
    record.ranks = json.at("ranks");
    record.threads_per_rank = json.at("threads_per_rank");
    record.device = json.value("device", record.device);
    const auto& network = json.at("network");
    record.network = {network.at("model"), network.at("parameters"), network.at("frozen_parameters"),
                      network.at("gradient_bytes"), network.at("frozen").get<std::vector<std::string>>()};
    if (json.contains("parent")) record.parent = parent_in(json.at("parent"));
    return record;
  } catch (const nlohmann::json::exception& error) {
    throw Error(fmt::format("not the record of a run: {}", json_fault(error)), where, "name the folder of a run");
  }
}

void RunFolder::require_new(const fs::path& folder) {
  if (!fs::exists(folder)) return;
  const RunFolder run(folder);
  const std::array may_be_there = {run.owner(), run.lr_search_data(), run.lr_search_plot()};
  const auto is_no_run = [&](const fs::directory_entry& entry) {
    return std::ranges::find(may_be_there, entry.path().filename(), &fs::path::filename) != may_be_there.end();
  };
  if (!fs::is_directory(folder) || !std::ranges::all_of(fs::directory_iterator(folder), is_no_run)) {
    throw Error("the run's folder exists already", folder.string(), "choose another --run; nothing was overwritten");
  }
}

RunFolder RunFolder::create(const fs::path& folder, const Options& options, const RunRecord& record) {
  require_new(folder);
  const RunFolder run(folder);
  make_folder(folder / "weights");
  run.write_options(options);
  run.write_record(record);
  return run;
}

std::unique_ptr<FolderClaim> RunFolder::claim(const fs::path& folder, bool is_new, const Log& log) {
  if (is_new) make_folder(folder);
  const std::string instead = is_new ? ", or choose another --run" : "";
  return std::make_unique<FolderClaim>(at(folder).owner(), ClaimedWork{"training", folder, instead}, log);
}

RunFolder RunFolder::open(const fs::path& folder) {
  RunFolder run(folder);
  if (!fs::is_directory(folder))
    throw Error("there is no such run", folder.string(), "name the folder of a run (--run, --resume)");
  if (!fs::exists(run.record_file()) || !fs::exists(run.config())) {
    throw Error("the folder is not a run: run.json or config.ini is missing", folder.string(),
                "name a folder that lockstep train made");
  }
  return run;
}

void RunFolder::write_options(const Options& options) const { write_file_atomically(config(), options.to_ini()); }

void RunFolder::write_record(const RunRecord& record) const { write_file_atomically(record_file(), record.to_json()); }

RunRecord RunFolder::record() const {
  return RunRecord::from_json(read_file(record_file(), 64 << 20), record_file().string());
}

Options RunFolder::options() const {
  return Options::from_ini(Command::train, read_file(config(), 1 << 20), config().string());
}

}  // namespace lockstep

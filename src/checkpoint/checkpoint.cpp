#include "lockstep/checkpoint/checkpoint.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/json_fault.hpp"
#include "lockstep/weights/safetensors.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view folder_prefix = "step-";
constexpr std::string_view replaced_suffix = ".replaced";
constexpr const char* done_name = "DONE";
constexpr const char* state_name = "state.json";
constexpr const char* per_rank_name = "per_rank.safetensors";

struct Numbered {
  std::int64_t steps;
  bool newest_of_step;  // not the one that it replaces
  fs::path folder;
};

/// Folders named step-N or step-N.replaced below `root`, the newest first, whole or not.
std::vector<Numbered> numbered_folders(const fs::path& root) {
  std::vector<Numbered> found;
  if (!fs::is_directory(root)) return found;
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory() || !name.starts_with(folder_prefix)) continue;
    std::int64_t steps = 0;
    const char *digits = name.data() + folder_prefix.size(), *end = name.data() + name.size();
    const auto [stop, code] = std::from_chars(digits, end, steps);
    const std::string_view suffix(stop, end);
    if (code == std::errc{} && (suffix.empty() || suffix == replaced_suffix))
      found.push_back({steps, suffix.empty(), entry.path()});
  }
  std::ranges::sort(found, std::ranges::greater{},
                    [](const Numbered& one) { return std::pair(one.steps, one.newest_of_step); });
  return found;
}

bool finished(const fs::path& folder) { return fs::exists(folder / done_name); }

/// DONE goes first, so that a removal that is interrupted leaves nothing that looks whole.
void remove_checkpoint(const fs::path& folder) {
  std::error_code code;
  fs::remove(folder / done_name, code);
  fs::remove_all(folder, code);
  if (code) throw system_error("cannot remove the old checkpoint", folder.string(), code.value());
}

void remove_leftovers(const fs::path& root) {
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    std::error_code ignored;  // they take space, no more
    if (name.starts_with(fmt::format(".{}", folder_prefix)) && name.ends_with(".partial"))
      fs::remove_all(entry.path(), ignored);
  }
}

/// Folders past the step that was just written were passed over by the resume that led here: damaged ones are set aside
/// for a person to look at, unfinished ones go. They must not count among those that stay.
void set_aside_void(const fs::path& root, std::int64_t steps) {
  for (const Numbered& checkpoint : numbered_folders(root)) {
    if (checkpoint.steps <= steps) continue;
    if (!finished(checkpoint.folder)) {
      remove_checkpoint(checkpoint.folder);
      continue;
    }
    const fs::path aside = root / ("damaged-" + checkpoint.folder.filename().string());
    std::error_code code;
    fs::remove_all(aside, code);
    fs::rename(checkpoint.folder, aside, code);
    if (code) throw system_error("cannot set the damaged checkpoint aside", checkpoint.folder.string(), code.value());
  }
}

void remove_old(const fs::path& root, std::int64_t keep) {
  std::int64_t whole = 0;
  for (const Numbered& checkpoint : numbered_folders(root)) {
    if (checkpoint.newest_of_step && finished(checkpoint.folder) && ++whole <= keep) continue;
    remove_checkpoint(checkpoint.folder);
  }
}

/// Makes room for another checkpoint of the same step, without a moment in which there is none.
void put_aside(const fs::path& folder) {
  fs::path aside = folder;
  aside += replaced_suffix;
  if (!finished(folder) || finished(aside)) return remove_checkpoint(folder);
  remove_checkpoint(aside);
  std::error_code code;
  fs::rename(folder, aside, code);
  if (code) throw system_error("cannot put the checkpoint before aside", folder.string(), code.value());
}

/// What DONE says: size and checksum of every other file of the folder.
std::string contents_of(const fs::path& folder) {
  Json files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    files[entry.path().filename().string()] = {{"bytes", entry.file_size()}, {"checksum", file_digest(entry.path())}};
  }
  return Json{{"format_version", TrainState::format_version}, {"files", files}}.dump(2) + "\n";
}

Error damaged(const std::string& what, const fs::path& file) {
  return Error("the checkpoint is damaged: " + what, file.string(),
               "copy it again, or remove its folder: an older checkpoint is used then");
}

void verify_file(const fs::path& file, const Json& expected) {
  if (!fs::exists(file)) throw damaged("the file is missing", file);
  const auto bytes = expected.at("bytes").get<std::uint64_t>();
  if (const std::uint64_t found = fs::file_size(file); found != bytes)
    throw damaged(fmt::format("{} bytes, {} were written", found, bytes), file);
  const auto checksum = expected.at("checksum").get<std::string>();
  if (const std::string found = file_digest(file); found != checksum)
    throw damaged(fmt::format("checksum {}, {} was written", found, checksum), file);
}

void verify(const fs::path& folder) {
  const fs::path done = folder / done_name;
  if (!fs::exists(done)) {
    throw Error("the checkpoint is unfinished: its writing was interrupted", folder.string(),
                "remove its folder: an older checkpoint is used then");
  }
  try {
    const Json json = Json::parse(read_file(done, 1 << 20));
    for (const auto& [name, expected] : json.at("files").items()) verify_file(folder / name, expected);
  } catch (const Json::exception& error) {
    throw damaged(json_fault(error), done);
  }
}

}  // namespace

fs::path write_checkpoint(const fs::path& root, const TrainState& state, const CheckpointTensors& tensors,
                          std::int64_t keep) {
  make_folder(root);
  remove_leftovers(root);
  const fs::path folder = root / fmt::format("{}{:08}", folder_prefix, state.steps), partial = partial_name(folder);
  try {
    make_folder(partial);
    Checkpoint names;
    names.folder = partial;
    write_safetensors(names.model_file(), {tensors.model, {{"format", "pt"}}});
    write_safetensors(names.optimiser_file(), {tensors.optimiser, {}});
    if (!tensors.per_rank.empty()) write_safetensors(partial / per_rank_name, {tensors.per_rank, {}});
    write_file_atomically(partial / state_name, state.to_json());
    const std::string contents = contents_of(partial);
    if (fs::exists(folder)) put_aside(folder);
    publish_path(partial, folder);
    write_file_atomically(folder / done_name, contents);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(partial, ignored);
    throw;
  }
  set_aside_void(root, state.steps);
  remove_old(root, keep);
  return folder;
}

Checkpoint read_checkpoint(const fs::path& folder) {
  verify(folder);
  Checkpoint checkpoint;
  checkpoint.folder = folder;
  const fs::path state = folder / state_name, per_rank = folder / per_rank_name;
  checkpoint.state = TrainState::from_json(read_file(state, 1 << 20), state.string());
  checkpoint.model = read_safetensors(checkpoint.model_file());
  checkpoint.optimiser = read_safetensors(checkpoint.optimiser_file());
  if (fs::exists(per_rank)) checkpoint.per_rank = read_safetensors(per_rank);
  return checkpoint;
}

FoundCheckpoint newest_checkpoint(const fs::path& root) {
  FoundCheckpoint found;
  bool some_finished = false;
  for (const Numbered& numbered : numbered_folders(root)) {
    some_finished = some_finished || finished(numbered.folder);
    try {
      found.newest = read_checkpoint(numbered.folder);
      return found;
    } catch (const Error& error) {
      found.passed_over.push_back(fmt::format("{} ({})", error.message(), error.where()));
    } catch (const std::exception& error) {  // a folder that cannot be read at all is no reason to lose the one before
      found.passed_over.push_back(fmt::format("{} ({})", error.what(), numbered.folder.string()));
    }
  }
  if (some_finished) {
    throw Error(fmt::format("no checkpoint can be used: {}", fmt::join(found.passed_over, "; ")), root.string(),
                "restore one of them from a copy, or train again into another --run");
  }
  return found;
}

}  // namespace lockstep

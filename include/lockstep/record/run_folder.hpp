// The folder of a run: config.ini (runs again as it is), run.json (what evaluation needs), log.jsonl, weights/,
// checkpoints/ (checkpoint.hpp), metrics.json, predictions.h5 (kept_predictions.hpp), lr-search.json and .svg, and,
// while somebody trains it, owner.json (folder_claim.hpp).
//
// The only place that knows the names inside a run. Created by rank 0; the other ranks only hold the paths. Errors: the
// folder exists already; it is not a run; a run of another format version.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/config/options.hpp"
#include "lockstep/core/folder_claim.hpp"
#include "lockstep/data/manifest.hpp"

namespace lockstep {

/// What a run records about its network, for people and for studies of freezing.
struct NetworkRecord {
  std::string model;  ///< its kind, as --model says it
  std::int64_t parameters = 0, frozen_parameters = 0;
  std::int64_t gradient_bytes = 0;  ///< what the ranks sum in each step
  std::vector<std::string> frozen;  ///< parameter tensors that keep their weights
};

/// A value that a run was told otherwise than its parent.
struct OptionChange {
  std::string option, before, now;
};

/// The run that another one refines.
struct ParentRecord {
  std::string run;             ///< absolute path of its folder
  std::string weights;         ///< "best" or "last": which of its weights the child started from
  std::string weights_digest;  ///< file_digest() of that file
  std::vector<OptionChange> changes;
};

/// What a run records about its data and input, for everything that later uses its weights.
struct RunRecord {
  static constexpr int format_version = 1;
  static constexpr std::string_view usual_resize = "crop";

  std::string data;         ///< absolute path of the data set
  std::string data_digest;  ///< Manifest::digest()
  std::vector<std::string> classes;
  ImageShape packed;
  std::int64_t side = 0, eval_resize = 0;  ///< pixels
  std::vector<float> mean, std;            ///< [channel]: input is (x − mean) / std on the scale 0 … 255
  std::int64_t ranks = 0, threads_per_rank = 0;
  std::string device = "cpu";  ///< what the ranks computed on
  NetworkRecord network;
  std::optional<ParentRecord> parent;
  /// How packing brought images to their size: --resize of preprocess. Runs that do not say it (older ones) are taken
  /// to have cropped.
  std::string resize{usual_resize};

  std::string to_json() const;
  static RunRecord from_json(std::string_view text, const std::string& where);
};

class RunFolder {
 public:
  /// Throws unless the folder does not exist or is empty but for a claim and a search for a learning rate: the cheapest
  /// mistake is found before anything is read.
  static void require_new(const std::filesystem::path& folder);
  /// A new run, in a folder as above.
  static RunFolder create(const std::filesystem::path& folder, const Options& options, const RunRecord& record);
  /// The names inside a folder of which another rank knows that it is a run.
  static RunFolder at(const std::filesystem::path& folder) { return RunFolder(folder); }
  /// Claims what a training writes there. A new run's folder is made if it is not there.
  static std::unique_ptr<FolderClaim> claim(const std::filesystem::path& folder, bool is_new, const Log& log);
  /// A run that is there.
  static RunFolder open(const std::filesystem::path& folder);

  const std::filesystem::path& path() const { return folder_; }
  std::filesystem::path config() const { return folder_ / "config.ini"; }
  std::filesystem::path record_file() const { return folder_ / "run.json"; }
  std::filesystem::path log() const { return folder_ / "log.jsonl"; }
  std::filesystem::path best_weights() const { return folder_ / "weights" / "best.safetensors"; }
  std::filesystem::path last_weights() const { return folder_ / "weights" / "last.safetensors"; }
  std::filesystem::path checkpoints() const { return folder_ / "checkpoints"; }
  std::filesystem::path metrics() const { return folder_ / "metrics.json"; }
  std::filesystem::path predictions() const { return folder_ / "predictions.h5"; }
  std::filesystem::path owner() const { return folder_ / FolderClaim::usual_name; }
  /// Of a search for a learning rate, which may come before the run.
  std::filesystem::path lr_search_data() const { return folder_ / "lr-search.json"; }
  std::filesystem::path lr_search_plot() const { return folder_ / "lr-search.svg"; }

  /// Replace config.ini and run.json: a resumed run was told something anew, or its data have moved.
  void write_options(const Options& options) const;
  void write_record(const RunRecord& record) const;
  RunRecord record() const;
  Options options() const;

 private:
  explicit RunFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path folder_;
};

}  // namespace lockstep

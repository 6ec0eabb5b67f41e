#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "commands/ranks.hpp"
#include "lockstep/comm/run_in_world.hpp"
#include "lockstep/commands/commands.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/evaluate/evaluator.hpp"
#include "lockstep/model/make_model.hpp"
#include "lockstep/record/run_folder.hpp"
#include "lockstep/train/rank_communicators.hpp"
#include "lockstep/weights/safetensors.hpp"

namespace lockstep {
namespace {

/// Where two lists of classes part; empty: they are the same.
std::string class_difference(const std::vector<std::string>& trained, const std::vector<std::string>& given) {
  if (trained.size() != given.size())
    return fmt::format("{} classes, the run was trained on {}", given.size(), trained.size());
  const auto [mine, theirs] = std::ranges::mismatch(trained, given);
  if (mine == trained.end()) return "";
  return fmt::format("'{}' as class {}, which was '{}' in training", *theirs, mine - trained.begin(), *mine);
}

/// Images packed at another side are scaled on the way; other classes or channels mean other labels and inputs.
void check_fits(const RunRecord& record, const Manifest& manifest, const std::filesystem::path& folder) {
  std::string difference = class_difference(record.classes, manifest.classes);
  if (difference.empty() && manifest.shape.channels != record.packed.channels) {
    difference = fmt::format("{} channel{}, the run was trained on {}", manifest.shape.channels,
                             manifest.shape.channels == 1 ? "" : "s", record.packed.channels);
  }
  if (difference.empty()) return;
  throw Error("the data set has " + difference, folder.string(),
              "give one with the classes of the run, in the same order, with --data");
}

/// A run knows where its data set lay. Named with --data, a missing one is a mistyped path; else it may have moved.
void check_still_there(const std::filesystem::path& folder, bool named) {
  if (named || std::filesystem::exists(folder)) return;
  throw Error("no such data set", folder.string(),
              "the run was trained on the one there: say with --data where it is now");
}

/// Whether it is the data set of the run. Packed anew, a split may hold images that the run was trained on: a better
/// score than the model deserves.
bool check_same_data(const RunRecord& record, const Manifest& manifest, const std::filesystem::path& folder, bool named,
                     const Log& log) {
  if (manifest.digest() == record.data_digest) return true;
  if (!named) {
    throw Error("the data set is not the one this run was trained on, though it lies in the same place",
                folder.string(), "name it with --data to judge on it all the same");
  }
  log.info("note: this is not the data set the run was trained on; samples it was trained on may be among these");
  return false;
}

std::shared_ptr<Model> load_model(const RunFolder& run, const RunRecord& record, const std::string& which) {
  const RunConfig config = RunConfig::from(run.options());
  const ModelInput input{record.packed.channels, record.side, static_cast<std::int64_t>(record.classes.size())};
  std::shared_ptr<Model> model = make_model(config.model, input, config.seed);
  const std::filesystem::path file = which == "best" ? run.best_weights() : run.last_weights();
  if (!std::filesystem::exists(file)) {
    throw Error("the run has no such weights yet", file.string(),
                "wait for the end of its first epoch, or choose --weights");
  }
  copy_weights(read_safetensors(file), state_of(*model), file);
  return model;
}

TestTimeFlips flips_of(const Options& options) {
  const std::string flips = options.text("test-time-flips");
  if (flips == "none") return TestTimeFlips::none;
  return flips == "horizontal" ? TestTimeFlips::horizontal : TestTimeFlips::both;
}

/// What was judged, as metrics.json keeps it: a score on other data, or of averaged views, must not take the place of
/// the plain one.
std::string judged_name(const DataSplit& split, bool same_data, const std::filesystem::path& data,
                        const Options& options) {
  std::string name = split.name();
  if (!same_data) name += " of " + std::filesystem::absolute(data).lexically_normal().string();
  if (flips_of(options) != TestTimeFlips::none) name += ", test-time flips " + options.text("test-time-flips");
  return name;
}

void write_metrics(const RunFolder& run, const RunRecord& record, const Evaluation& evaluation,
                   const std::string& split, const std::string& weights) {
  const std::string before = std::filesystem::exists(run.metrics()) ? read_file(run.metrics()) : std::string();
  write_file_atomically(run.metrics(), metrics_json(evaluation.metrics, record.classes, {split, weights}, before));
}

Exit evaluate_run(const Options& options, World& world, const Log& log) {
  const RunFolder run = RunFolder::open(options.path("run"));
  const RunRecord record = run.record();
  const std::filesystem::path data = options.has("data") ? options.path("data") : std::filesystem::path(record.data);
  if (world.rank() == 0) check_still_there(data, options.has("data"));
  const Manifest manifest = shared_manifest(world, data);
  check_fits(record, manifest, data);
  const bool same_data = check_same_data(record, manifest, data, options.has("data"), log);
  const std::unique_ptr<Accelerator> accelerator = take_device(device_of(options), world, log);
  const std::shared_ptr<Model> model = load_model(run, record, options.text("weights"));
  if (accelerator) model->to(accelerator->device());
  const EvaluationSettings settings{record.eval_resize, set_threads(options.integer("threads"), world), true,
                                    flips_of(options)};
  const RankCommunicators channels = make_rank_communicators(world, Seconds(options.real("timeout")));
  const DataSplit split(data, manifest, options.text("split"));
  const ImageTransform transform(manifest.shape, record.side, {record.mean, record.std});
  const Evaluation evaluation =
      evaluate(*model, split, transform, static_cast<std::int64_t>(record.classes.size()), settings, *channels.control);
  if (world.rank() != 0) return Exit::done;
  write_metrics(run, record, evaluation, judged_name(split, same_data, data, options), options.text("weights"));
  fmt::print("{}", format_metrics(evaluation.metrics, record.classes));
  log.info(fmt::format("{:.1f} images/s; written to {}",
                       static_cast<double>(evaluation.metrics.samples) / evaluation.seconds, run.metrics().string()));
  return Exit::done;
}

}  // namespace

Exit evaluate_command(const std::vector<std::string>& words) {
  keep_large_blocks();
  allow_many_files();
  return run_in_world("lockstep evaluate", [&](World& world, const Log& log) {
    const Options options = Options::parse(Command::evaluate, words);
    if (const auto answer = answer_to_questions(options)) return say(world, *answer);
    return evaluate_run(options, world, log);
  });
}

}  // namespace lockstep

// lockstep predict: networks × images → CSV.
#include <fmt/format.h>

#include "commands/committee.hpp"
#include "commands/images_to_predict.hpp"
#include "commands/ranks.hpp"
#include "commands/run_data.hpp"
#include "lockstep/comm/run_in_world.hpp"
#include "lockstep/commands/commands.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/core/stopwatch.hpp"
#include "lockstep/core/text.hpp"
#include "lockstep/evaluate/prediction.hpp"
#include "lockstep/evaluate/prediction_file.hpp"
#include "lockstep/train/rank_communicators.hpp"
#include "lockstep/weights/find_weights.hpp"

namespace lockstep {
namespace {

std::vector<Member> members_of(const Options& options, World& world, const Log& log) {
  const std::string weights = options.text("weights");
  const bool of_runs = weights == "best" || weights == "last";
  if (!options.has("run")) {
    if (of_runs) options.reject("run", "neither a run nor a weight file is named", "give --run DIR, or --weights FILE");
    const std::string found = world.rank() == 0 ? find_weights(weights, weight_folders()).string() : "";
    std::vector<Member> members;
    members.push_back(member_of_file(world.broadcast(found), options, log));
    return members;
  }
  if (!of_runs)
    options.reject("weights", "a weight file beside --run", "with runs, choose best or last; or leave --run out");
  for (const char* option : {"model", "class-names", "side", "eval-resize"})
    options.reject_unused(option, false, "a weight file instead of --run");
  std::vector<Member> members;
  for (const std::filesystem::path& run : options.paths("run")) members.push_back(member_of_run(run, weights));
  return members;
}

/// Why the members cannot be compared on a split of the first run's data set; empty: they can.
std::string hindrance(const std::vector<Member>& runs, const std::string& split) {
  const Member& first = runs.front();
  try {
    const Manifest manifest = Manifest::load(first.data);
    if (manifest.digest() != first.data_digest)
      return fmt::format("{} is no longer the data set of {}", first.data, first.name);
    if (manifest.find_split(split) == nullptr) return fmt::format("{} has no split '{}'", first.data, split);
    for (const Member& run : runs) {
      if (run.packed.channels != manifest.shape.channels)
        return fmt::format("{} takes images of {} channels, not those of {}", run.name, run.packed.channels,
                           first.data);
    }
    return "";
  } catch (const Error& error) {
    return fmt::format("{}: {}", error.where(), error.message());
  }
}

/// Compares several runs, and lets the split choose where the rule does.
void compare_members(Committee& committee, std::int64_t threads, const Options& options, World& world,
                     Communicator& communicator, const Log& log) {
  const std::string split = options.text("choose-on");
  const std::string reason = split == "none"
                                 ? "--choose-on none"
                                 : world.broadcast(world.rank() == 0 ? hindrance(committee.members(), split) : "");
  if (!reason.empty() && committee.chooses())
    throw Error(
        fmt::format("nothing to choose members on: {}", reason), fmt::format("--ensemble {}", committee.rule()),
        "name a split of the runs' data set with --choose-on, or give --member-weights with --ensemble average");
  if (!reason.empty()) {
    if (split != "none") log.info(fmt::format("note: the members are not compared: {}", reason));
    return;
  }
  const RunData data = open_run_data(committee.members(), "", world, log);
  const JudgedImages images(committee, data, split, threads, flips_of(options));
  if (committee.chooses()) committee.choose(images.members, communicator);
  const Judgement judgement = committee.judge(images.members, images.mean, communicator);
  log.info(fmt::format("on {} of {} ({} samples):", split, data.folder.string(), judgement.ensemble.metrics.samples));
  if (world.rank() == 0) fmt::print("{}", committee.table(judgement));
}

PredictionColumns columns_of(const Options& options, const Committee& committee) {
  PredictionColumns columns{options.flag("probabilities"), options.has("top") ? options.integer("top") : 0,
                            options.text("label") == "index"};
  const std::int64_t classes = std::ssize(committee.classes());
  if (columns.top > classes)
    options.reject("top", fmt::format("{} of {} classes", columns.top, classes), fmt::format("at most {}", classes));
  return columns;
}

void require_place(const std::filesystem::path& output) {
  if (std::filesystem::is_directory(output))
    throw Error("the output is a folder", output.string(), "name a file: --output predictions.csv");
  if (output.has_parent_path()) make_folder(output.parent_path());
}

/// Rows in the order of ids: those of samples, and between them those of images that could not be read.
class Rows {
 public:
  Rows(PredictionWriter& writer, const ImagesToPredict& images) : writer_(writer), images_(images) {}

  void add(const PredictedSamples& samples) {
    for (std::size_t i = 0; i < samples.ids.size(); ++i) {
      add_unread_before(samples.ids[i]);
      writer_.add(images_.id(samples.ids[i]), samples.winners[i], samples.row(i));
    }
  }
  void finish() {
    add_unread_before(INT64_MAX);
    writer_.finish();
  }

 private:
  void add_unread_before(std::int64_t sample) {
    const std::vector<std::int64_t>& unread = images_.unread();
    for (; next_ < unread.size() && unread[next_] < sample; ++next_) writer_.add_unread(images_.id(unread[next_]));
  }

  PredictionWriter& writer_;
  const ImagesToPredict& images_;
  std::size_t next_ = 0;
};

void report(const ImagesToPredict& images, double seconds, const Options& options, const Log& log) {
  std::vector<std::string> reasons;
  for (const std::int64_t sample : images.unread())
    reasons.push_back(fmt::format("{}: {}", images.row(sample).path.view(), images.row(sample).reason.view()));
  if (!reasons.empty())
    log.warning(fmt::format("{} of {} images could not be read, and have no label: {}", reasons.size(),
                            std::ssize(images.unread()) + images.samples(), first_of(reasons)));
  log.info(fmt::format("{} images, {:.1f} images/s; written to {}", images.samples(),
                       static_cast<double>(images.samples()) / seconds, options.text("output")));
}

Exit predict(const Options& options, World& world, const Log& log) {
  Committee committee(members_of(options, world, log), options);
  options.reject_unused("choose-on", !committee.alone(), "several --run");
  const PredictionColumns columns = columns_of(options, committee);
  const std::unique_ptr<Accelerator> accelerator = take_device(device_of(options), world, log);
  if (accelerator) committee.to(accelerator->device());
  const std::int64_t threads = set_threads(options.integer("threads"), world);
  const RankCommunicators channels = make_rank_communicators(world, Seconds(options.real("timeout")));
  if (!committee.alone()) compare_members(committee, threads, options, world, *channels.control, log);
  std::optional<PredictionWriter> writer;  // before the work: a file that cannot be written is soon found
  if (world.rank() == 0) {
    require_place(options.path("output"));
    writer.emplace(options.path("output"), committee.classes(), columns);
  }
  const ImagesToPredict images(committee.asked(), options, world, log);
  std::optional<Rows> rows;
  if (world.rank() == 0) rows.emplace(*writer, images);
  const Stopwatch watch;
  predict_samples(images.shown().scorers(), committee.combination(), std::ssize(committee.classes()), *channels.control,
                  [&rows](const PredictedSamples& samples) { rows->add(samples); });
  if (world.rank() == 0) {
    rows->finish();
    report(images, watch.seconds(), options, log);
  }
  world.barrier();  // a packing goes with rank 0's object: the others are done with it
  return Exit::done;
}

}  // namespace

Exit predict_command(const std::vector<std::string>& words) {
  keep_large_blocks();
  allow_many_files();
  return run_in_world("lockstep predict", [&](World& world, const Log& log) {
    const Options options = Options::parse(Command::predict, words);
    if (const auto answer = answer_to_questions(options)) return say(world, *answer);
    return predict(options, world, log);
  });
}

}  // namespace lockstep

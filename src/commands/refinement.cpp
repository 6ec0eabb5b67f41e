#include "commands/refinement.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "commands/fine_tuning.hpp"
#include "commands/members.hpp"
#include "lockstep/config/fine_tuning.hpp"
#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/data/manifest.hpp"
#include "lockstep/record/run_log.hpp"

namespace lockstep {
namespace fs = std::filesystem;
namespace {

/// What makes a network another one, whose weights do not fit or would mean something else.
constexpr std::array<std::string_view, 6> network_options{"model", "filters",    "kernels",
                                                          "dense", "activation", "batch-norm"};

/// Where it lies and where it began; neither is a change.
constexpr std::array<std::string_view, 4> own_options{"run", "weights", "from", "forget"};

/// Options that mean something only beside one value of another: where that changes, the parent's are forgotten.
struct Dependents {
  std::string_view option;
  std::vector<std::string_view> names;
};
const std::vector<Dependents>& dependents() {
  static const std::vector<Dependents> all{
      {"schedule", {"lr-step", "lr-gamma", "min-lr", "lr-power", "one-cycle-rise", "plateau-patience"}},
      {"optimiser", {"momentum", "nesterov", "adam-betas", "adam-epsilon", "trust-coefficient"}},
      {"augment",
       {"crop-scale", "crop-ratio", "flip", "vertical-flip", "rotation", "scaling", "translation", "colour-jitter",
        "randaugment", "random-erasing", "fixed-views"}},
      {"feature-cache", {"feature-folder"}},
      {"lr-for-batch", {"lr-scaling"}},
      {"tensorboard", {"tensorboard-histograms", "tensorboard-images"}},
  };
  return all;
}

/// Options that settle one question: where one of them is said, whatever its value, the parent's others are forgotten.
const std::vector<Dependents>& alternatives() {
  static const std::vector<Dependents> all{
      {"freeze", {"freeze-fraction", "freeze-first", "unfreeze-at"}},
      {"freeze-fraction", {"freeze", "freeze-first", "unfreeze-at"}},
      {"freeze-first", {"freeze", "freeze-fraction", "unfreeze-at"}},
      {"transfer", {"freeze", "freeze-fraction", "freeze-first", "unfreeze-at", "head-lr", "layer-decay"}},
      {"lr", {"head-lr"}},
      {"ema", {"swa-from"}},
      {"swa-from", {"ema"}},
  };
  return all;
}

Options read_config(const RunFolder& run) {
  return Options::from_ini(Command::train, read_file(run.config(), 1 << 20), run.config().string());
}

fs::path weights_of(const RunFolder& run, const std::string& which) {
  return which == "best" ? run.best_weights() : run.last_weights();
}

std::string which_weights(const Options& said) {
  const std::string which = said.has("weights") ? said.text("weights") : "best";
  if (which == "best" || which == "last") return which;
  said.reject("weights", "a child starts from weights of its parent", "say best or last, or leave --from out");
}

bool is_option_of_train(const std::string& name) {
  return std::ranges::any_of(option_table(),
                             [&](const OptionRow& row) { return row.name == name && takes(Command::train, row); });
}

bool changes(const Options& said, const Options& parent, const std::string& option) {
  return said.said(option) && !parent.with(option, said.text(option)).differences(parent).empty();
}

/// What the parent's options mean for a child that says `said`: those that lose their meaning are gone.
Options inherited(const Options& parent, const Options& said) {
  Options base = parent.without("run").without("weights");
  const auto forget = [&base](const std::vector<std::string_view>& names) {
    for (const std::string_view name : names) base = base.without(std::string(name));
  };
  for (const auto& [option, names] : dependents()) {
    if (changes(said, parent, std::string(option))) forget(names);
  }
  for (const auto& [option, names] : alternatives()) {
    if (said.said(option)) forget(names);
  }
  for (const std::string& name : said.has("forget") ? said.texts("forget") : std::vector<std::string>()) {
    if (!is_option_of_train(name))
      said.reject("forget", fmt::format("train has no option --{}", name), "name options of the parent, without dashes");
    base = base.without(name);
  }
  return base;
}

std::string shown(const Options& options, const std::string& name) {
  return options.has(name) ? options.text(name) : std::string("nothing");
}

void require_same_network(const Options& child, const Options& parent) {
  for (const std::string& name : child.differences(parent)) {
    if (std::ranges::find(network_options, name) == network_options.end()) continue;
    child.reject(name,
                 fmt::format("'{}' is not what its parent has ('{}'), and a child has the network of its parent",
                             shown(child, name), shown(parent, name)),
                 "leave it out, or begin another run with --weights instead of --from");
  }
}

void require_same_classes(const RunRecord& parent, const Manifest& manifest, const fs::path& data) {
  std::string difference = class_difference(parent.classes, manifest.classes);
  if (difference.empty() && manifest.shape.channels != parent.packed.channels)
    difference =
        fmt::format("{} channels, those of the parent have {}", manifest.shape.channels, parent.packed.channels);
  if (difference.empty()) return;
  throw Error("the data set has " + difference, data.string(),
              "a child has the classes of its parent: for others begin a run with --weights instead of --from",
              Exit::usage);
}

/// How the parent stood when it was left.
std::string note_on(const RunFolder& run) {
  if (!fs::exists(run.log())) return "";
  const std::vector<LogLine> ends = read_run_log(run.log(), {"started", "resumed", "finished", "stopped", "failed"});
  if (ends.empty() || ends.back().event() == "finished") return "";
  return "; the parent has not finished";
}

struct Found {
  std::string config, normalise, note;
};

/// On rank 0: everything that only reading tells.
Found read_parent(const Options& said) {
  const RunFolder run = RunFolder::open(said.path("from"));
  const std::string which = which_weights(said);
  const fs::path weights = weights_of(run, which);
  if (!fs::exists(weights)) {
    throw Error(fmt::format("the parent has no {} weights yet: {}", which,
                            which == "best" ? "nothing has judged it" : "it has not finished an epoch"),
                weights.string(), fmt::format("let it go on first: lockstep train --resume {}", run.path().string()));
  }
  const Options parent = read_config(run);
  const RunRecord record = run.record();
  const fs::path data = said.has("data") ? said.path("data") : parent.path("data");
  const Manifest manifest = Manifest::load(data);
  require_same_classes(record, manifest, data);
  Found found{read_file(run.config(), 1 << 20), "", note_on(run)};
  // Its input is to look as the weights know it, whatever the mean of other data is.
  const bool asked = said.said("normalise") && said.text("normalise") == "weights";
  if (asked || manifest.digest() != record.data_digest)
    found.normalise = normalisation_of(weights, architecture_named(parent.text("model")));
  return found;
}

std::vector<OptionChange> changes_between(const Options& child, const Options& parent) {
  std::vector<OptionChange> changes;
  for (const std::string& name : child.with_absolute_paths().differences(parent.with_absolute_paths())) {
    if (std::ranges::find(own_options, name) == own_options.end())
      changes.push_back({name, shown(parent, name), shown(child, name)});
  }
  return changes;
}

std::string description(const std::vector<OptionChange>& changes) {
  if (changes.empty()) return "with nothing changed";
  std::vector<std::string> texts;
  for (const auto& [option, before, now] : changes)
    texts.push_back(fmt::format("--{} {} (was {})", option, now, before));
  return fmt::format("with {}", fmt::join(texts, ", "));
}

}  // namespace

Options refined_options(const Options& said, World& world, const Log& log) {
  if (said.has("resume"))
    said.reject("from", "a resumed run goes on as it was", "leave out --from, or --resume for a new run");
  const std::string which = which_weights(said);
  const Found mine = world.rank() == 0 ? read_parent(said) : Found{};
  const Found found{world.broadcast(mine.config), world.broadcast(mine.normalise), world.broadcast(mine.note)};
  const RunFolder run = RunFolder::at(said.path("from"));
  const Options parent = Options::from_ini(Command::train, found.config, run.config().string());
  const fs::path weights = fs::absolute(weights_of(run, which)).lexically_normal();
  const FineTuning tuned = with_transfer_preset(said.with("weights", weights.string()));
  if (!tuned.note.empty()) log.info(tuned.note);
  Options child = tuned.options.over(inherited(parent, tuned.options));
  const bool wanted = !said.said("normalise") || said.text("normalise") == "weights";
  if (!found.normalise.empty() && wanted) child = child.with("normalise", found.normalise);
  require_same_network(child, parent);
  log.info(fmt::format("refines {} from its {} weights {}; the optimiser and the schedule begin anew{}",
                       run.path().string(), which, description(changes_between(child, parent)), found.note));
  return child;
}

ParentRecord parent_of(const Options& options) {
  const RunFolder run = RunFolder::open(options.path("from"));
  const fs::path weights = options.path("weights");
  const bool best = weights.filename() == run.best_weights().filename();
  return {fs::absolute(run.path()).lexically_normal().string(), best ? "best" : "last", file_digest(weights),
          changes_between(options, read_config(run))};
}

}  // namespace lockstep

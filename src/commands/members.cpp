#include "commands/members.hpp"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "lockstep/config/architectures.hpp"
#include "lockstep/config/run_config.hpp"
#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "lockstep/core/text.hpp"
#include "lockstep/model/make_model.hpp"
#include "lockstep/model/pretrained.hpp"
#include "lockstep/record/run_folder.hpp"
#include "lockstep/weights/input_statistics.hpp"
#include "lockstep/weights/origin.hpp"
#include "lockstep/weights/read_weights.hpp"
#include "lockstep/weights/safetensors.hpp"

namespace lockstep {
namespace {

const at::Tensor* find_tensor(const WeightFile& weights, const std::string& name) {
  const auto found = std::ranges::find(weights.tensors, name, &std::pair<std::string, at::Tensor>::first);
  return found == weights.tensors.end() ? nullptr : &found->second;
}

/// What a weight file and the options say together.
class FileReader {
 public:
  FileReader(const std::filesystem::path& file, const Options& options, const Log& log)
      : file_(file),
        options_(options),
        log_(log),
        weights_(read_weights(file, options.has("model") ? options.text("model") : "")),
        origin_(weights_origin(weights_, file)) {
    const bool known =
        std::ranges::find(architecture_table, network(), &Architecture::name) != architecture_table.end();
    if (!known) fail("the file does not say which network it holds", "say it with --model");
    if (says_network()) return;
    origin_.reset();  // of another network than the one that was asked for
    if (network() == "custom")
      fail("the file does not say the layers of the custom CNN", "name the run it comes from with --run");
  }

  Member read() {
    Member member;
    member.name = file_.string();
    member.network = network();
    member.side = side();
    member.eval_resize = eval_resize(member.side);
    const ModelConfig config = model_config(member.network, origin_ ? origin_->layers : decltype(origin_->layers)());
    member.classes = class_names(config, member.side);
    member.packed.channels = 3;
    make_network(member, config);
    if (const std::int64_t channels = channels_of(*member.model); channels != member.packed.channels) {
      member.packed.channels = channels;
      make_network(member, config);
    }
    fill(member);
    member.packed.width = member.packed.height = packed_side(member.eval_resize);
    member.resize = origin_ ? origin_->packed_resize : std::string(RunRecord::usual_resize);
    member.scale = scale(member.packed.channels);
    return member;
  }

 private:
  [[noreturn]] void fail(const std::string& what, const std::string& hint) const {
    throw Error(what, file_.string(), hint);
  }

  std::string network() const {
    if (options_.has("model")) return options_.text("model");
    return origin_ ? origin_->model : "";
  }
  bool says_network() const { return origin_ && origin_->model == network(); }

  std::int64_t side() const {
    if (options_.integer("side") > 0) return options_.integer("side");
    return origin_ ? origin_->side : architecture_named(network()).native_side;
  }

  std::int64_t eval_resize(std::int64_t side) const {
    const std::int64_t said = options_.integer("eval-resize");
    if (said > 0 && said < side)
      options_.reject("eval-resize", fmt::format("{} is smaller than the side {}", said, side),
                      fmt::format("give at least {}", side));
    if (said > 0) return said;
    return origin_ && origin_->side == side ? origin_->eval_resize : side;
  }

  std::int64_t packed_side(std::int64_t eval_resize) const {
    const bool as_trained = origin_ && options_.integer("side") == 0 && options_.integer("eval-resize") == 0;
    return as_trained ? origin_->packed_side : eval_resize;
  }

  std::vector<std::string> class_names(const ModelConfig& config, std::int64_t side) const {
    const std::string head = last_head(config, {3, side, 1}) + ".weight";
    const at::Tensor* weight = find_tensor(weights_, head);
    if (weight == nullptr || weight->dim() == 0)
      fail(fmt::format("no {}, which gives the classes of {}", head, network()),
           "give weights of a whole network that were trained for the classes");
    const std::int64_t classes = weight->size(0);
    if (options_.has("class-names")) return names_from(options_.path("class-names"), classes);
    if (origin_ && std::ssize(origin_->classes) == classes) return origin_->classes;
    std::vector<std::string> numbers;
    for (std::int64_t c = 0; c < classes; ++c) numbers.push_back(std::to_string(c));
    return numbers;
  }

  static std::vector<std::string> names_from(const std::filesystem::path& file, std::int64_t classes) {
    std::vector<std::string> names;
    const std::string content = read_file(file, std::uint64_t{1} << 26);
    for (std::string_view text = content; !text.empty();) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!trimmed(line).empty()) names.emplace_back(trimmed(line));
    }
    const bool differ = std::set<std::string>(names.begin(), names.end()).size() == names.size();
    if (std::ssize(names) == classes && differ) return names;
    throw Error(differ ? fmt::format("{} names for {} classes", names.size(), classes) : "two classes of the same name",
                file.string(), "write the name of each class in a line, in the order of the network's outputs");
  }

  std::int64_t channels_of(const Model& model) const {
    const at::Tensor* first = find_tensor(weights_, model.named_parameters().front().key());
    return first != nullptr && first->dim() == 4 && first->size(1) == 1 ? 1 : 3;
  }

  void make_network(Member& member, const ModelConfig& config) const {
    member.model = make_model(config, {member.packed.channels, member.side, std::ssize(member.classes)}, 0);
  }

  void fill(Member& member) const {
    const PretrainedReport report = start_from(weights_, *member.model, file_);
    const std::string& head = member.model->heads().back();
    if (report.starts_anew(head + ".weight"))
      fail(fmt::format("the head {} is not whole", head), "give weights of a whole network");
    log_.info(
        fmt::format("{}: {}, {} classes, {} px", file_.string(), member.network, member.classes.size(), member.side));
  }

  ChannelScale scale(std::int64_t channels) const {
    std::optional<InputStatistics> statistics = input_statistics(weights_, file_);
    if (statistics && statistics->mean.size() == 3 && channels == 1) statistics = statistics->grey();
    if (statistics && std::ssize(statistics->mean) != channels)
      fail(fmt::format("statistics of {} channels, weights for {}", statistics->mean.size(), channels),
           "correct input_mean and input_std in its metadata");
    if (!statistics) return usual_scale(channels);
    ChannelScale levels;
    for (const double mean : statistics->mean) levels.mean.push_back(static_cast<float>(255 * mean));
    for (const double std : statistics->std) levels.std.push_back(static_cast<float>(255 * std));
    return levels;
  }

  ChannelScale usual_scale(std::int64_t channels) const {
    const std::string_view usual = usual_normalisation(architecture_named(network()));
    if (usual.empty()) fail("the file does not say how images are normalised", "name the run it comes from with --run");
    Manifest shape;
    shape.shape.channels = channels;
    return channel_scale(usual == "symmetric" ? Normalisation::symmetric : Normalisation::imagenet, shape);
  }

  const std::filesystem::path& file_;
  const Options& options_;
  const Log& log_;
  WeightFile weights_;
  std::optional<WeightsOrigin> origin_;
};

}  // namespace

Member member_of_run(const std::filesystem::path& folder, const std::string& which) {
  const RunFolder run = RunFolder::open(folder);
  const RunRecord record = run.record();
  const RunConfig config = RunConfig::from(run.options());
  const std::filesystem::path file = which == "best" ? run.best_weights() : run.last_weights();
  if (!std::filesystem::exists(file)) {
    throw Error("the run has no such weights yet", file.string(),
                "wait for the end of its first epoch, or choose --weights");
  }
  const ModelInput input{record.packed.channels, record.side, std::ssize(record.classes)};
  const std::shared_ptr<Model> model = make_model(config.model, input, config.seed);
  copy_weights(read_safetensors(file), state_of(*model), file);
  return {folder.string(),
          model,
          std::string(name_of(config.model.kind)),
          record.classes,
          record.packed,
          record.resize,
          record.side,
          record.eval_resize,
          {record.mean, record.std},
          record.data,
          record.data_digest};
}

Member member_of_file(const std::filesystem::path& file, const Options& options, const Log& log) {
  return FileReader(file, options, log).read();
}

std::string class_difference(const std::vector<std::string>& trained, const std::vector<std::string>& given) {
  if (trained.size() != given.size())
    return fmt::format("{} classes, the run was trained on {}", given.size(), trained.size());
  const auto [mine, theirs] = std::ranges::mismatch(trained, given);
  if (mine == trained.end()) return "";
  return fmt::format("'{}' as class {}, which was '{}' in training", *theirs, mine - trained.begin(), *mine);
}

void require_same_classes(const std::vector<Member>& members) {
  const Member& first = members.front();
  for (const Member& member : members) {
    if (member.classes == first.classes) continue;
    const auto [mine, theirs] = std::ranges::mismatch(first.classes, member.classes);
    const std::string what =
        first.classes.size() != member.classes.size()
            ? fmt::format("{} classes, {} has {}", first.classes.size(), member.name, member.classes.size())
            : fmt::format("'{}' as class {}, {} has '{}'", *mine, mine - first.classes.begin(), member.name, *theirs);
    throw Error(fmt::format("{} has {}", first.name, what), "--run",
                "an ensemble is of runs with the same classes in the same order");
  }
}

}  // namespace lockstep

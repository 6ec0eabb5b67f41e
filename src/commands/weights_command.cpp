// lockstep weights list|convert|compare: weight files without a network. One function for each.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lockstep/commands/commands.hpp"
#include "lockstep/config/options.hpp"
#include "lockstep/weights/compare_weights.hpp"
#include "lockstep/weights/read_weights.hpp"
#include "lockstep/weights/safetensors.hpp"
#include "lockstep/weights/torch_file.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

struct Totals {
  std::int64_t elements = 0;
  std::uint64_t bytes = 0;

  explicit Totals(const WeightFile& weights) {
    for (const auto& [name, tensor] : weights.tensors) {
      elements += tensor.numel();
      bytes += static_cast<std::uint64_t>(tensor.numel()) * tensor.element_size();
    }
  }
};

std::string shape_text(const at::Tensor& tensor) {
  if (tensor.dim() == 0) return "scalar";
  return fmt::format("{}", fmt::join(tensor.sizes(), "×"));
}

std::string summary(const WeightFile& weights) {
  const Totals totals(weights);
  return fmt::format("{} tensors, {} values, {:.1f} MiB", weights.tensors.size(), totals.elements,
                     static_cast<double>(totals.bytes) / (1 << 20));
}

void print_table(const WeightFile& weights, WeightFormat format) {
  std::size_t widest = 4;
  for (const auto& [name, tensor] : weights.tensors) widest = std::max(widest, name.size());
  for (const auto& [name, tensor] : weights.tensors)
    fmt::print("{:{}}  {:9} {}\n", name, widest, type_name(tensor.scalar_type()), shape_text(tensor));
  fmt::print("{}; {}\n", summary(weights), name_of(format));
  for (const auto& [key, text] : weights.metadata) fmt::print("{} = {}\n", key, text);
  for (const std::string& note : weights.notes) fmt::print("{}\n", note);
}

void print_json(const WeightFile& weights, WeightFormat format) {
  Json tensors = Json::array();
  for (const auto& [name, tensor] : weights.tensors)
    tensors.push_back({{"name", name}, {"dtype", type_name(tensor.scalar_type())}, {"shape", tensor.sizes().vec()}});
  const Totals totals(weights);
  const Json json{{"format", name_of(format)}, {"tensors", tensors},           {"values", totals.elements},
                  {"bytes", totals.bytes},     {"metadata", weights.metadata}, {"notes", weights.notes}};
  fmt::print("{}\n", json.dump(2));
}

Exit list(const std::vector<std::string>& words) {
  const Options options = Options::parse(Command::weights_list, words);
  if (const auto answer = answer_to_questions(options)) {
    fmt::print("{}", *answer);
    return Exit::done;
  }
  const std::filesystem::path file = options.path("file");
  const WeightFormat format = weight_format_of(file);
  const WeightFile weights = read_weights_as_stored(file);
  options.flag("json") ? print_json(weights, format) : print_table(weights, format);
  return Exit::done;
}

std::string model_of(const Options& options) { return options.has("model") ? options.text("model") : ""; }

using Write = void (*)(const std::filesystem::path&, const WeightFile&);

Write writer_for(const Options& options) {
  const std::string ending = options.path("output").extension();
  if (ending == ".safetensors") return write_safetensors;
  if (ending == ".pth" || ending == ".pt") return write_torch_zip;
  options.reject("output", fmt::format("'{}' does not say the format", options.text("output")),
                 "let it end with .safetensors, .pth or .pt");
}

Exit convert(const std::vector<std::string>& words) {
  const Options options = Options::parse(Command::weights_convert, words);
  if (const auto answer = answer_to_questions(options)) {
    fmt::print("{}", *answer);
    return Exit::done;
  }
  const Write write = writer_for(options);
  const WeightFile weights = read_weights(options.path("input"), model_of(options));
  write(options.path("output"), weights);
  fmt::print("{} written to {}\n", summary(weights), options.text("output"));
  for (const auto& [key, text] : weights.metadata) fmt::print("{} = {}\n", key, text);
  for (const std::string& note : weights.notes) fmt::print("{}\n", note);
  return Exit::done;
}

Exit compare(const std::vector<std::string>& words) {
  const Options options = Options::parse(Command::weights_compare, words);
  if (const auto answer = answer_to_questions(options)) {
    fmt::print("{}", *answer);
    return Exit::done;
  }
  const WeightFile first = read_weights(options.path("first"), model_of(options));
  const WeightFile second = read_weights(options.path("second"), model_of(options));
  const WeightComparison result = compare_weights(first, second, options.real("tolerance"));
  for (const std::string& name : result.only_first) fmt::print("only in {}: {}\n", options.text("first"), name);
  for (const std::string& name : result.only_second) fmt::print("only in {}: {}\n", options.text("second"), name);
  for (const std::string& difference : result.differences) fmt::print("{}\n", difference);
  fmt::print("{} tensors are equal, {} differ; largest difference of a value {:.3g}\n", result.equal,
             result.only_first.size() + result.only_second.size() + result.differences.size(), result.largest);
  return result.same() ? Exit::done : Exit::failed;
}

}  // namespace

Exit weights_command(const std::vector<std::string>& words) {
  const std::string what = words.empty() ? "" : words.front();
  const std::vector<std::string> rest(words.begin() + (words.empty() ? 0 : 1), words.end());
  if (what == "list") return list(rest);
  if (what == "convert") return convert(rest);
  if (what == "compare") return compare(rest);
  throw usage_error(what.empty() ? "weights: what to do with them?" : fmt::format("there is no 'weights {}'", what),
                    "command line", "lockstep weights list, convert and compare are there; each has a --help");
}

}  // namespace lockstep

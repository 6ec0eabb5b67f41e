#include "lockstep/weights/weight_faults.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t shown_of_a_kind = 4;  // three kinds of faults fit a few lines of a terminal

std::string list_of(const std::string& title, const std::vector<std::string>& entries) {
  const std::size_t shown = std::min(entries.size(), shown_of_a_kind);
  const auto end = entries.begin() + static_cast<std::ptrdiff_t>(shown);
  return fmt::format("{}: {}{}", title, fmt::join(entries.begin(), end, ", "),
                     shown < entries.size() ? fmt::format(", … ({} in all)", entries.size()) : "");
}

}  // namespace

void WeightFaults::add_shape(const std::string& name, at::IntArrayRef in_file, at::IntArrayRef in_model) {
  reshaped.push_back(
      fmt::format("{} is [{}], the model's [{}]", name, fmt::join(in_file, ", "), fmt::join(in_model, ", ")));
}

void WeightFaults::raise(const std::filesystem::path& file) const {
  std::vector<std::string> lists;
  if (!missing.empty()) lists.push_back(list_of("missing", missing));
  if (!unexpected.empty()) lists.push_back(list_of("not in the model", unexpected));
  if (!reshaped.empty()) lists.push_back(list_of("of another shape", reshaped));
  throw Error(fmt::format("the weights are of another model; {}", fmt::join(lists, "; ")), file.string(),
              "give the weights of this model, or the model of these weights");
}

}  // namespace lockstep

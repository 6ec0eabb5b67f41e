#include "lockstep/evaluate/counterpart.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lockstep/core/error.hpp"
#include "lockstep/core/text.hpp"

namespace lockstep {
namespace {

/// Why they are of other samples, as a clause; empty: they are of the same.
std::string difference_of_samples(const SplitPredictions& ours, const SplitPredictions& theirs) {
  if (theirs.data_digest != ours.data_digest)
    return fmt::format("they are of the data set of digest {}, these of {}", theirs.data_digest, ours.data_digest);
  if (ours.ids.size() != theirs.ids.size()) return fmt::format("{} there, {} here", theirs.ids.size(), ours.ids.size());
  for (std::size_t i = 0; i < ours.ids.size(); ++i) {
    if (ours.ids[i] != theirs.ids[i]) return fmt::format("id {} there where it is {} here", theirs.ids[i], ours.ids[i]);
    if (ours.labels[i] != theirs.labels[i])
      return fmt::format("sample {} has label {} there, {} here", ours.ids[i], theirs.labels[i], ours.labels[i]);
  }
  return "";
}

[[noreturn]] void fail_others(const std::string& what, const std::filesystem::path& file) {
  throw Error("predictions of other samples: " + what, file.string(),
              "compare runs that were judged on the same split of the same data set");
}

std::string names_of(const std::vector<const SplitPredictions*>& splits) {
  std::vector<std::string> names;
  for (const SplitPredictions* split : splits) names.push_back("'" + split->split + "'");
  return names.empty() ? "nothing" : first_of(names, 8);
}

}  // namespace

std::string difference_of_classes(const std::vector<std::string>& ours, const std::vector<std::string>& others) {
  if (ours == others) return "";
  if (ours.size() != others.size()) return fmt::format("{} classes there, {} here", others.size(), ours.size());
  const auto [mine, theirs] = std::ranges::mismatch(ours, others);
  return fmt::format("class {} is '{}' there, '{}' here", mine - ours.begin(), *theirs, *mine);
}

const SplitPredictions& counterpart(const SplitPredictions& ours, const std::vector<std::string>& our_classes,
                                    const KeptPredictions& others, const std::filesystem::path& file) {
  if (const std::string difference = difference_of_classes(our_classes, others.classes); !difference.empty())
    fail_others(difference, file);
  std::vector<const SplitPredictions*> all, same;
  for (const SplitPredictions& theirs : others.splits) {
    all.push_back(&theirs);
    if (difference_of_samples(ours, theirs).empty()) same.push_back(&theirs);
  }
  const auto named = std::ranges::find(same, ours.split, &SplitPredictions::split);
  if (named != same.end()) return **named;
  if (same.size() == 1) return *same.front();
  if (same.size() > 1)
    throw Error(
        fmt::format("{} kinds of predictions of the samples of '{}'", same.size(), ours.split), file.string(),
        fmt::format("judge them in one of the same ways (--weights, --test-time-flips): there are {}", names_of(same)));
  if (const SplitPredictions* theirs = others.find(ours.split)) fail_others(difference_of_samples(ours, *theirs), file);
  throw Error(
      fmt::format("no predictions of '{}', or of its samples by another name", ours.split), file.string(),
      fmt::format("judge that run on the same images first (lockstep evaluate with --split, and --data where its "
                  "own data set is another); it has been judged on {}",
                  names_of(all)));
}

}  // namespace lockstep

#include "preprocess/findings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lockstep/core/error.hpp"

namespace lockstep::preprocess {

std::vector<Finding> wished_findings(const Options& options) {
  std::vector<Finding> wished;
  if (!options.has("fail-on")) return wished;
  for (const std::string& name : options.texts("fail-on"))
    wished.push_back(static_cast<Finding>(std::ranges::find(finding_names, name) - finding_names.begin()));
  return wished;
}

void refuse_findings(const std::map<std::string, std::int64_t>& counts, const std::vector<Finding>& unwanted,
                     const std::string& where, const std::string& hint) {
  std::string found;
  for (const Finding finding : unwanted) {
    const std::string name(finding_names[static_cast<std::size_t>(finding)]);
    const std::int64_t count = counts.at(name);
    if (count > 0) found += fmt::format("{}{} ({})", found.empty() ? "" : ", ", name, count);
  }
  if (!found.empty()) throw Error("--fail-on: the data set has " + found, where, hint);
}

}  // namespace lockstep::preprocess

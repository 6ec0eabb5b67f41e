#include "lockstep/config/architectures.hpp"

#include <algorithm>

namespace lockstep {

const Architecture& architecture_of(ModelKind kind) {
  return *std::find_if(architecture_table.begin(), architecture_table.end(),
                       [kind](const Architecture& row) { return row.kind == kind; });
}

std::string_view usual_normalisation(const Architecture& architecture) {
  if (architecture.native_side == 0) return "";
  const bool symmetric = architecture.family == Family::inception || architecture.family == Family::xception;
  return symmetric ? "symmetric" : "imagenet";
}

const Architecture& architecture_named(std::string_view name) {
  return *std::find_if(architecture_table.begin(), architecture_table.end(),
                       [name](const Architecture& row) { return row.name == name; });
}

}  // namespace lockstep

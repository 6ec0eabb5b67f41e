#include "commands/lr_search_files.hpp"

#include <cmath>

#include "lockstep/core/files.hpp"
#include "lockstep/record/run_folder.hpp"
#include "lockstep/report/dot_plot.hpp"

namespace lockstep {

void write_lr_search(const LrSearch& search, const std::filesystem::path& folder) {
  const RunFolder run = RunFolder::at(folder);
  make_folder(folder);
  write_file_atomically(run.lr_search_data(), search.to_json());
  PlotPanel smoothed{"loss, averaged over some steps", "learning rate, as a power of ten", {}, false};
  for (const LrPoint& point : search.points()) smoothed.dots.push_back({std::log10(point.lr), point.smoothed});
  if (!smoothed.dots.empty())
    write_file_atomically(run.lr_search_plot(), dot_plot("loss over a rising learning rate", {smoothed}));
}

}  // namespace lockstep

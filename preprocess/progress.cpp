#include "preprocess/progress.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep::preprocess {

Progress::Progress(const Log& log, std::int64_t images, std::int64_t ranks)
    : log_(log), images_(images), ranks_(ranks) {}

void Progress::image_done() {
  constexpr double live_seconds = 0.2, plain_seconds = 30;
  const std::int64_t own = ++own_;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || since_line_.seconds() < (log_.live() ? live_seconds : plain_seconds)) return;
  show(std::min(images_, known_ + own * ranks_));
}

void Progress::round_done(std::int64_t images) {
  known_ = images;
  own_ = 0;
}

void Progress::show(std::int64_t done) {
  since_line_.restart();
  const double rate = static_cast<double>(done) / std::max(total_.seconds(), 1e-3);
  const auto left = static_cast<std::int64_t>(static_cast<double>(images_ - done) / std::max(rate, 1e-9));
  const std::string line = fmt::format("packing {} of {} images · {:.0f} images/s · {}:{:02} left", done, images_, rate,
                                       left / 60, left % 60);
  if (log_.live()) {
    log_.progress(line);
  } else {
    log_.info(line);
  }
}

}  // namespace lockstep::preprocess

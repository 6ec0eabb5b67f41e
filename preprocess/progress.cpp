#include "preprocess/progress.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep::preprocess {

Progress::Progress(const Log& log, std::int64_t images, std::int64_t before)
    : log_(log), images_(images), before_(before) {}

void Progress::add(std::int64_t images) {
  constexpr double live_seconds = 0.2, plain_seconds = 30;
  const std::int64_t done = done_ += images;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || since_line_.seconds() < (log_.live() ? live_seconds : plain_seconds)) return;
  show(done);
}

void Progress::show(std::int64_t done) {
  since_line_.restart();
  const double rate = static_cast<double>(done) / std::max(total_.seconds(), 1e-3);
  const std::int64_t left = images_ - before_ - done;
  const auto seconds = static_cast<std::int64_t>(static_cast<double>(left) / std::max(rate, 1e-9));
  const std::string line = fmt::format("packing {} of {} images · {:.0f} images/s · {}:{:02} left", before_ + done,
                                       images_, rate, seconds / 60, seconds % 60);
  if (log_.live()) {
    log_.progress(line);
  } else {
    log_.info(line);
  }
}

}  // namespace lockstep::preprocess

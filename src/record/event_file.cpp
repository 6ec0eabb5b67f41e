#include "lockstep/record/event_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

#include "lockstep/core/error.hpp"
#include "lockstep/core/machine.hpp"
#include "lockstep/record/crc32c.hpp"

namespace lockstep {
namespace {

/// Fields of Event and SessionLog.
enum EventField { wall_time = 1, step_field = 2, file_version = 3, summary_field = 5, session_log = 7 };
enum SessionLogField { status = 1 };
constexpr std::int64_t session_start = 1;
constexpr std::string_view format_version = "brain.Event:2", name_begin = "events.out.tfevents.";

/// A checksum of bytes that hold checksums themselves would tell little: hence the mask.
std::uint32_t masked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8; }

template <typename Number>
std::string raw(Number value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// The seconds in the name of an event file; 0 for another file.
std::int64_t seconds_of(const std::string& name) {
  std::int64_t seconds = 0;
  if (name.starts_with(name_begin))
    std::from_chars(name.data() + name_begin.size(), name.data() + name.size(), seconds);
  return seconds;
}

}  // namespace

std::string record_of(std::string_view content) {
  std::string record = raw(std::uint64_t{content.size()});
  record += raw(masked(crc32c(record)));
  return record.append(content) + raw(masked(crc32c(content)));
}

std::filesystem::path next_event_file(const std::filesystem::path& folder) {
  auto seconds = static_cast<std::int64_t>(seconds_now());
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    seconds = std::max(seconds, seconds_of(entry.path().filename().string()) + 1);
  return folder / fmt::format("{}{:010}.{}.{}", name_begin, seconds, host_name(), ::getpid());
}

EventFile::EventFile(const std::filesystem::path& folder, std::int64_t first_step)
    : path_(next_event_file(folder)), file_(path_, std::ios::binary | std::ios::app) {
  if (!file_) throw system_error("cannot open the event file", path_.string(), errno);
  append(ProtobufWriter().bytes(file_version, format_version));
  const ProtobufWriter start = ProtobufWriter().integer(status, session_start);
  append(ProtobufWriter().integer(step_field, first_step).message(session_log, start));
}

void EventFile::write(std::int64_t step, const Summary& summary) {
  if (summary.empty()) return;
  append(ProtobufWriter().integer(step_field, step).message(summary_field, summary.message()));
}

void EventFile::append(ProtobufWriter event) {
  event.real64(wall_time, seconds_now());
  file_ << record_of(event.bytes()) << std::flush;
  if (!file_) throw system_error("cannot write the event file", path_.string(), errno);
}

}  // namespace lockstep

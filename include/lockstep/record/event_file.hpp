// TensorBoard's event files: records appended and flushed one at a time, so that a killed run loses at most its last one.
//
// A file is a sequence of TFRecords (tensorflow/core/lib/io/record_writer.h): the length as 8 bytes, little-endian, its
// masked CRC-32C, the content, its masked CRC-32C. The content is an Event (tensorflow/core/util/event.proto); the first
// one says the version of the format. Every start of a run makes a file of its own, whose name sorts behind those there:
// a reader goes on with it, even where the file before ends within a record. Its second event says from which step on it
// tells the story: readers forget what earlier files say of later steps. (TensorBoard takes no notice of the first such
// event of a run, hence one in every file.) One writer (rank 0), one thread. Errors: the file cannot be written.
#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "lockstep/record/protobuf_writer.hpp"
#include "lockstep/record/summary.hpp"

namespace lockstep {

/// The bytes of one TFRecord.
std::string record_of(std::string_view content);

/// A name for the next event file in `folder`: "events.out.tfevents.SECONDS.HOST.PROCESS". SECONDS are those since 1970,
/// or one more than the last file's where a clock says less.
std::filesystem::path next_event_file(const std::filesystem::path& folder);

class EventFile {
 public:
  /// A new file in `folder`; what earlier files say of steps from `first_step` on is void.
  EventFile(const std::filesystem::path& folder, std::int64_t first_step);

  const std::filesystem::path& path() const { return path_; }
  void write(std::int64_t step, const Summary& summary);

 private:
  void append(ProtobufWriter event);

  std::filesystem::path path_;
  std::ofstream file_;
};

}  // namespace lockstep

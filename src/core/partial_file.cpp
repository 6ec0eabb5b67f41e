#include "lockstep/core/partial_file.hpp"

#include <fmt/format.h>

#include "core/descriptor.hpp"
#include "lockstep/core/files.hpp"

namespace lockstep {

PartialFile::PartialFile(std::filesystem::path final_path)
    : final_(std::move(final_path)),
      partial_(partial_name(final_)),
      file_(std::make_unique<Descriptor>(partial_, O_WRONLY | O_CREAT | O_TRUNC)) {}

PartialFile::~PartialFile() {
  if (!published_) ::unlink(partial_.c_str());
}

void PartialFile::reserve(std::uint64_t bytes) const {
  const bool full =
      ::fallocate(file_->get(), 0, 0, static_cast<off_t>(bytes)) != 0 && (errno == ENOSPC || errno == EDQUOT);
  if (full) throw system_error(fmt::format("cannot reserve {} bytes", bytes), final_.string(), errno);
}

void PartialFile::append(std::span<const std::uint8_t> bytes) {
  write_at(end_, bytes);
  end_ += bytes.size();
}

void PartialFile::append(std::string_view text) {
  append(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

void PartialFile::write_at(std::uint64_t offset, std::span<const std::uint8_t> bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file_->get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      throw system_error("cannot write", final_.string(), errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
}

void PartialFile::publish() {
  publish_path(partial_, final_);
  published_ = true;
}

}  // namespace lockstep

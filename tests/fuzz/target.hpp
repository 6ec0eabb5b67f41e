// What the fuzz targets share. A target is one function, LLVMFuzzerTestOneInput, for one parser of bytes from outside.
//
// A parser may take its input, or say in one sentence why not (Error, Refusal). Everything else is a finding: a crash,
// a sanitizer's report, an exception of another kind, an Error that calls itself a defect, a hang, gigabytes of memory.
// With LOCKSTEP_FUZZ (clang) libFuzzer drives the targets, else replay.cpp does for a second each. One thread.
#pragma once
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

#include "lockstep/core/error.hpp"
#include "preprocess/picture.hpp"

namespace lockstep::fuzz {

/// Of the pictures among the seeds.
inline constexpr int picture_width = 21, picture_height = 14;

inline std::string_view text_of(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Runs a parser; its own kinds of refusal are fine.
template <typename Parser>
int run(const Parser& parser) {
  try {
    parser();
  } catch (const Error& error) {
    if (error.exit_code() == Exit::defect) std::abort();
  } catch (const preprocess::Refusal&) {
  }
  return 0;
}

/// A folder for parsers that want files, removed at the end of the process.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("lockstep-fuzz-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::filesystem::path write(const std::string& name, std::span<const std::uint8_t> bytes) const {
    std::ofstream(path_ / name, std::ios::binary)
        .write(text_of(bytes).data(), static_cast<std::streamsize>(bytes.size()));
    return path_ / name;
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace lockstep::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

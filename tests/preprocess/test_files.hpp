// What the tests of preprocess/ share: a folder that goes away, small files of all kinds, and the real images if
// present.
#pragma once
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"

namespace lockstep::preprocess {

/// A new folder, removed at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lockstep-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

  /// Writes a file, with the folders above it.
  std::filesystem::path file(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    write_file_atomically(path_ / name, content);
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// An image file's bytes: `extension` such as ".png"; pixels depend on `tone`.
inline std::string encoded(const std::string& extension, cv::Size size, int tone) {
  cv::Mat pixels(size, CV_8UC3);
  for (int y = 0; y < size.height; ++y) {
    for (int x = 0; x < size.width; ++x) {
      pixels.at<cv::Vec3b>(y, x) = cv::Vec3b(static_cast<std::uint8_t>(tone), static_cast<std::uint8_t>(x * 3),
                                             static_cast<std::uint8_t>(y * 5));
    }
  }
  std::vector<std::uint8_t> bytes;
  cv::imencode(extension, pixels, bytes);
  return {bytes.begin(), bytes.end()};
}

/// The folder with real images, from LOCKSTEP_TEST_DATA or beside the checkout; nothing where there is none.
inline std::optional<std::filesystem::path> test_data(const std::string& name) {
  std::vector<std::filesystem::path> places;
  if (const char* given = std::getenv("LOCKSTEP_TEST_DATA")) places.emplace_back(given);
  if (const char* source = std::getenv("LOCKSTEP_SOURCE_DIR"))
    places.push_back(std::filesystem::path(source) / "../shared/data");
  for (const std::filesystem::path& place : places) {
    if (std::filesystem::exists(place / name)) return place / name;
  }
  return std::nullopt;
}

/// The sentence of the Error that `action` throws; "no error" if it throws none.
inline std::string failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace lockstep::preprocess

#define EXPECT_CONTAINS(text, part) EXPECT_NE(std::string(text).find(part), std::string::npos) << "in: " << (text)

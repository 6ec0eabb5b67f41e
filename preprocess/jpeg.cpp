#include "preprocess/jpeg.hpp"

#include <turbojpeg.h>

#include <algorithm>
#include <memory>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "preprocess/exif.hpp"

namespace lockstep::preprocess {
namespace {

struct CloseDecompressor {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Bytes = std::vector<std::uint8_t>;
using Decompressor = std::unique_ptr<void, CloseDecompressor>;

struct Header {
  int width = 0, height = 0, subsampling = 0, colour_space = 0;
};

[[noreturn]] void refuse(const Decompressor& decompressor) {
  throw Refusal(std::string("JPEG: ") + tjGetErrorStr2(decompressor.get()));
}

Header read_header(const Decompressor& decompressor, std::span<const std::uint8_t> file, std::int64_t most_pixels) {
  Header header;
  const int status = tjDecompressHeader3(decompressor.get(), file.data(), file.size(), &header.width, &header.height,
                                         &header.subsampling, &header.colour_space);
  // A warning here comes again while decoding, which decides.
  const bool no_size = header.width < 1 || header.height < 1;
  if (no_size && status != 0) refuse(decompressor);
  if (no_size) throw Refusal("JPEG: the file ends inside its header");
  check_pixels(header.width, header.height, most_pixels);
  return header;
}

/// Where the next marker of a JPEG header begins, from `at` on; the file's end if there is none.
std::size_t next_marker(std::span<const std::uint8_t> file, std::size_t at) {
  while (at + 1 < file.size() && (file[at] != 0xFF || file[at + 1] == 0xFF || file[at + 1] == 0)) ++at;
  return at + 1 < file.size() ? at : file.size();
}

/// What stands in front of a file's first scan.
struct Segments {
  std::vector<std::span<const std::uint8_t>> parts;  // in order, whole
  std::size_t end = 0;                               // where the first scan begins
  bool stray = false;                                // whether there is anything between them
  std::uint8_t frame = 0;                            // marker of the frame header: 0xC0 is baseline
  int bits = 0, components = 0;
  int scanned = 0;  // components that the first scan holds
};

Segments segments_of(std::span<const std::uint8_t> file) {
  constexpr std::uint8_t start_of_scan = 0xDA;
  Segments segments;
  std::size_t at = next_marker(file, 2), before = 2;
  while (at + 4 <= file.size() && file[at + 1] != start_of_scan) {
    const std::uint8_t marker = file[at + 1];
    const std::size_t end = at + 2 + (std::size_t{file[at + 2]} << 8 | file[at + 3]);
    if (end > file.size()) break;
    const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame && end >= at + 10) {
      segments.frame = marker;
      segments.bits = file[at + 4];
      segments.components = file[at + 9];
    }
    segments.stray |= at != before;
    segments.parts.push_back(file.subspan(at, end - at));
    before = end;
    at = next_marker(file, end);
  }
  segments.stray |= at != before;
  segments.end = at;
  if (at + 4 < file.size()) segments.scanned = file[at + 4];
  return segments;
}

/// Some programs leave stray bytes between the segments of the header. They harm nothing, but the library warns of them
/// as it does of damaged pixels, so they are left out of this copy. From the first scan on nothing is touched.
Bytes without_stray_bytes(std::span<const std::uint8_t> file, const Segments& segments) {
  Bytes clean(file.begin(), file.begin() + 2);
  for (const auto& part : segments.parts) clean.insert(clean.end(), part.begin(), part.end());
  clean.insert(clean.end(), file.begin() + static_cast<std::ptrdiff_t>(segments.end), file.end());
  return clean;
}

/// Whether the file may lie in a shard as it is: the reader of shards expects the data set's shape and nothing unusual.
bool can_be_stored(const Segments& segments, const Header& header, int orientation, const DecodeRequest& request) {
  constexpr std::uint8_t baseline = 0xC0;
  const int colours = request.channels == 1 ? TJCS_GRAY : TJCS_YCbCr;
  return cv::Size(header.width, header.height) == request.jpeg_size && !segments.stray && segments.frame == baseline &&
         segments.bits == 8 && segments.components == request.channels && segments.scanned == segments.components &&
         header.colour_space == colours && orientation == 1;
}

/// The strongest reduction by a power of two that keeps the shorter side at `least` pixels.
int reduction(const Header& header, int least) {
  int by = 1;
  while (least > 0 && by < 8 && std::min(header.width, header.height) / (by * 2) >= least) by *= 2;
  return by;
}

/// Adobe's programs store CMYK inverted and say so by their marker; files without it are rare and store it as it is.
bool is_inverted(std::span<const std::uint8_t> file) {
  constexpr std::string_view marker = "\xFF\xEE", name = "Adobe";
  for (auto at = file.begin();; ++at) {
    at = std::search(at, file.end(), marker.begin(), marker.end(),
                     [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); });
    if (file.end() - at < 9) return false;
    if (std::equal(name.begin(), name.end(), at + 4)) return true;
  }
}

cv::Mat cmyk_to_rgb(const cv::Mat& cmyk, bool inverted) {
  cv::Mat rgb(cmyk.rows, cmyk.cols, CV_8UC3);
  for (int y = 0; y < cmyk.rows; ++y) {
    for (int x = 0; x < cmyk.cols; ++x) {
      const auto& ink = cmyk.at<cv::Vec4b>(y, x);
      const auto light = [&](int channel) { return inverted ? ink[channel] : 255 - ink[channel]; };
      for (int c = 0; c < 3; ++c)
        rgb.at<cv::Vec3b>(y, x)[c] = static_cast<std::uint8_t>((light(c) * light(3) + 127) / 255);
    }
  }
  return rgb;
}

cv::Mat decompress(const Decompressor& decompressor, std::span<const std::uint8_t> file, cv::Size size, int type,
                   int format) {
  // LIMITSCANS: a small file can declare thousands of progressive scans over a large picture.
  constexpr int flags = TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS;
  cv::Mat pixels(size, type);
  const int status = tjDecompress2(decompressor.get(), file.data(), file.size(), pixels.data, size.width,
                                   static_cast<int>(pixels.step), size.height, format, flags);
  if (status != 0) refuse(decompressor);
  return pixels;
}

}  // namespace

Picture decode_jpeg(std::span<const std::uint8_t> original, const DecodeRequest& request) {
  const Segments segments = segments_of(original);
  const Bytes cleaned = segments.stray ? without_stray_bytes(original, segments) : Bytes();
  const std::span<const std::uint8_t> file = segments.stray ? cleaned : original;
  const Decompressor decompressor(tjInitDecompress());
  if (!decompressor) throw std::bad_alloc();
  const Header header = read_header(decompressor, file, request.most_pixels);
  const int by = reduction(header, request.least_side);
  const tjscalingfactor factor{1, by};
  const cv::Size size(TJSCALED(header.width, factor), TJSCALED(header.height, factor));

  Picture picture{{}, header.width, header.height, {}};
  if (header.colour_space == TJCS_CMYK || header.colour_space == TJCS_YCCK) {
    picture.pixels = cmyk_to_rgb(decompress(decompressor, file, size, CV_8UC4, TJPF_CMYK), is_inverted(file));
    if (request.channels == 1) cv::cvtColor(picture.pixels, picture.pixels, cv::COLOR_RGB2GRAY);
  } else if (request.channels == 1) {
    picture.pixels = decompress(decompressor, file, size, CV_8UC1, TJPF_GRAY);
  } else {
    picture.pixels = decompress(decompressor, file, size, CV_8UC3, TJPF_RGB);
  }
  const int orientation = exif_orientation(exif_of_jpeg(file));
  make_upright(picture.pixels, orientation);
  if (orientation >= 5) std::swap(picture.width, picture.height);
  if (can_be_stored(segments, header, orientation, request)) picture.jpeg.assign(original.begin(), original.end());
  return picture;
}

}  // namespace lockstep::preprocess

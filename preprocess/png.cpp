#include "preprocess/png.hpp"

#include <png.h>

#include <csetjmp>
#include <cstring>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "preprocess/exif.hpp"

namespace lockstep::preprocess {
namespace {

/// libpng reports errors by longjmp, which must not cross a frame with destructors. So everything with one lives in
/// this class, the frames that libpng may leave are the static steps below, and each is entered through attempt().
class PngReader {
 public:
  PngReader(std::span<const std::uint8_t> file, std::int64_t most_pixels) : rest_(file), most_pixels_(most_pixels) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw std::bad_alloc();
    }
    png_set_read_fn(png_, this, on_read);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  /// RGB.
  cv::Mat read() {
    attempt(read_header);
    check_pixels(png_get_image_width(png_, info_), png_get_image_height(png_, info_), most_pixels_);
    cv::Mat pixels(static_cast<int>(png_get_image_height(png_, info_)),
                   static_cast<int>(png_get_image_width(png_, info_)), palette_size_ > 0 ? CV_8UC1 : CV_8UC3);
    for (int y = 0; y < pixels.rows; ++y) rows_.push_back(pixels.ptr(y));
    attempt(read_pixels);
    return palette_size_ > 0 ? coloured(pixels) : pixels;
  }
  int orientation() const { return orientation_; }

 private:
  void attempt(void (*step)(PngReader&)) {
    if (setjmp(png_jmpbuf(png_)) != 0) throw Refusal(std::string("PNG: ") + message_);
    step(*this);
  }

  static void read_header(PngReader& self) {
    png_read_info(self.png_, self.info_);
    if (png_get_color_type(self.png_, self.info_) != PNG_COLOR_TYPE_PALETTE) return;
    png_get_PLTE(self.png_, self.info_, &self.palette_, &self.palette_size_);
  }

  static void read_pixels(PngReader& self) {
    if (self.palette_size_ > 0) {
      png_set_packing(self.png_);  // one index a byte; coloured here, where an index can be checked
    } else {
      png_set_expand_gray_1_2_4_to_8(self.png_);
      png_set_scale_16(self.png_);
      png_set_gray_to_rgb(self.png_);
      png_set_strip_alpha(self.png_);
    }
    png_set_interlace_handling(self.png_);
    png_read_update_info(self.png_, self.info_);
    const std::size_t pixel_bytes = self.palette_size_ > 0 ? 1 : 3;
    if (png_get_rowbytes(self.png_, self.info_) != pixel_bytes * png_get_image_width(self.png_, self.info_)) {
      png_error(self.png_, "a colour type that does not become RGB");
    }
    png_read_image(self.png_, self.rows_.data());
    png_read_end(self.png_, self.info_);
    png_bytep exif = nullptr;
    png_uint_32 size = 0;
    if (png_get_eXIf_1(self.png_, self.info_, &size, &exif) != 0) self.orientation_ = exif_orientation({exif, size});
  }

  cv::Mat coloured(const cv::Mat& indices) const {
    double largest = 0;
    cv::minMaxLoc(indices, nullptr, &largest);
    if (largest >= palette_size_) throw Refusal("PNG: a pixel's index lies outside the palette");
    cv::Mat pixels(indices.size(), CV_8UC3);
    for (int y = 0; y < indices.rows; ++y) {
      for (int x = 0; x < indices.cols; ++x) {
        const png_color& colour = palette_[indices.at<std::uint8_t>(y, x)];
        pixels.at<cv::Vec3b>(y, x) = {colour.red, colour.green, colour.blue};
      }
    }
    return pixels;
  }

  static void on_read(png_structp png, png_bytep into, std::size_t count) {
    auto& self = *static_cast<PngReader*>(png_get_io_ptr(png));
    if (self.rest_.size() < count) png_error(png, "the file is cut short");
    std::memcpy(into, self.rest_.data(), count);
    self.rest_ = self.rest_.subspan(count);
  }
  [[noreturn]] static void on_error(png_structp png, png_const_charp text) {
    auto& self = *static_cast<PngReader*>(png_get_error_ptr(png));
    std::strncpy(self.message_, text, sizeof self.message_ - 1);
    png_longjmp(png, 1);
  }
  // Warnings are about side matters (a wrong colour profile, text chunks) that real files are full of.
  static void on_warning(png_structp, png_const_charp) {}

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::span<const std::uint8_t> rest_;
  std::int64_t most_pixels_;
  std::vector<png_bytep> rows_;
  png_colorp palette_ = nullptr;  // libpng's
  int palette_size_ = 0;          // 0 where pixels are not indices
  int orientation_ = 1;
  char message_[200] = "";
};

}  // namespace

Picture decode_png(std::span<const std::uint8_t> file, const DecodeRequest& request) {
  PngReader reader(file, request.most_pixels);
  Picture picture{reader.read(), 0, 0};
  make_upright(picture.pixels, reader.orientation());
  picture.width = picture.pixels.cols;
  picture.height = picture.pixels.rows;
  if (request.channels == 1) cv::cvtColor(picture.pixels, picture.pixels, cv::COLOR_RGB2GRAY);
  return picture;
}

}  // namespace lockstep::preprocess

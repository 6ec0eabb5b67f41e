#include "preprocess/jpeg_encoder.hpp"

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it

#include <jpeglib.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "lockstep/core/error.hpp"

namespace lockstep::preprocess {
namespace {

constexpr int least_quality_of_whole_colours = 95;

/// The library reports errors by a call that must not return, and longjmp must not cross a frame with destructors: so
/// all it may leave is run(), and what needs an end is kept here.
class Encoder {
 public:
  Encoder(const cv::Mat& pixels, int quality) : pixels_(pixels), quality_(quality) {
    jpeg_.err = jpeg_std_error(&errors_);
    jpeg_.client_data = this;
    errors_.error_exit = [](j_common_ptr jpeg) {
      auto& self = *static_cast<Encoder*>(jpeg->client_data);
      jpeg->err->format_message(jpeg, self.message_);
      std::longjmp(self.exit_, 1);
    };
  }
  ~Encoder() {
    jpeg_destroy_compress(&jpeg_);
    std::free(bytes_);
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  std::vector<std::uint8_t> encode() {
    if (setjmp(exit_) != 0) throw defect(std::string("JPEG encoder: ") + message_, "encode_jpeg");
    run();
    return {bytes_, bytes_ + size_};
  }

 private:
  void run() {
    const bool grey = pixels_.channels() == 1;
    jpeg_create_compress(&jpeg_);
    jpeg_mem_dest(&jpeg_, &bytes_, &size_);
    jpeg_.image_width = static_cast<JDIMENSION>(pixels_.cols);
    jpeg_.image_height = static_cast<JDIMENSION>(pixels_.rows);
    jpeg_.input_components = grey ? 1 : 3;
    jpeg_.in_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&jpeg_);
    jpeg_set_quality(&jpeg_, quality_, TRUE);
    jpeg_.dct_method = JDCT_ISLOW;
    if (!grey && quality_ >= least_quality_of_whole_colours) {
      jpeg_.comp_info[0].h_samp_factor = 1;
      jpeg_.comp_info[0].v_samp_factor = 1;
    }
    jpeg_start_compress(&jpeg_, TRUE);
    while (jpeg_.next_scanline < jpeg_.image_height) {
      JSAMPROW row = const_cast<JSAMPROW>(pixels_.ptr(static_cast<int>(jpeg_.next_scanline)));
      jpeg_write_scanlines(&jpeg_, &row, 1);
    }
    jpeg_finish_compress(&jpeg_);
  }

  const cv::Mat& pixels_;
  const int quality_;
  jpeg_compress_struct jpeg_{};
  jpeg_error_mgr errors_{};
  std::jmp_buf exit_{};
  char message_[JMSG_LENGTH_MAX] = "";
  unsigned char* bytes_ = nullptr;  // the library's malloc
  unsigned long size_ = 0;
};

}  // namespace

std::vector<std::uint8_t> encode_jpeg(const cv::Mat& pixels, int quality) { return Encoder(pixels, quality).encode(); }

}  // namespace lockstep::preprocess

#include "lockstep/record/summary.hpp"

#include <string>

namespace lockstep {
namespace {

enum SummaryField { value_field = 1 };
enum ValueField { tag_field = 1, simple_value = 2, image = 4, histo = 5, tensor = 8, metadata = 9 };
enum ImageField { image_height = 1, image_width = 2, image_colorspace = 3, encoded_image = 4 };
enum HistogramField { histo_min = 1, histo_max, histo_num, histo_sum, histo_sum_squares, bucket_limit, bucket };
enum MetadataField { plugin = 1, data_class = 4 };
enum PluginField { plugin_name = 1, plugin_content = 2 };
enum TensorField { dtype = 1, tensor_shape = 2, string_value = 8 };
enum ShapeField { dimension = 2 };
enum DimensionField { dimension_size = 1 };
constexpr std::int64_t float_type = 1, string_type = 7, class_tensor = 2;

ProtobufWriter metadata_of(std::string_view plugin_called, std::string_view content) {
  return ProtobufWriter()
      .message(plugin, ProtobufWriter().bytes(plugin_name, plugin_called).bytes(plugin_content, content))
      .integer(data_class, class_tensor);
}

ProtobufWriter shape_of(std::int64_t size) {
  return ProtobufWriter().message(dimension, ProtobufWriter().integer(dimension_size, size));
}

}  // namespace

void Summary::add(std::string_view tag, ProtobufWriter value) {
  message_.message(value_field, value.bytes(tag_field, tag));
}

Summary& Summary::number(std::string_view tag, double value) {
  add(tag, ProtobufWriter().real32(simple_value, static_cast<float>(value)));
  return *this;
}

Summary& Summary::histogram(std::string_view tag, const ValueHistogram& values) {
  if (values.count() == 0) return *this;
  const ValueHistogram::Buckets buckets = values.buckets();
  const ProtobufWriter message = ProtobufWriter()
                                     .real64(histo_min, values.min())
                                     .real64(histo_max, values.max())
                                     .real64(histo_num, static_cast<double>(values.count()))
                                     .real64(histo_sum, values.sum())
                                     .real64(histo_sum_squares, values.sum_of_squares())
                                     .reals64(bucket_limit, buckets.ends)
                                     .reals64(bucket, buckets.counts);
  add(tag, ProtobufWriter().message(histo, message));
  return *this;
}

Summary& Summary::picture(std::string_view tag, const Picture& picture) {
  const ProtobufWriter message = ProtobufWriter()
                                     .integer(image_height, picture.height)
                                     .integer(image_width, picture.width)
                                     .integer(image_colorspace, picture.channels)  // 1: grey, 3: RGB
                                     .bytes(encoded_image, png_of(picture));
  add(tag, ProtobufWriter().message(image, message));
  return *this;
}

Summary& Summary::text(std::string_view tag, std::string_view markdown) {
  const ProtobufWriter one = ProtobufWriter()
                                 .integer(dtype, string_type)
                                 .message(tensor_shape, shape_of(1))
                                 .bytes(string_value, markdown);
  add(tag, ProtobufWriter().message(tensor, one).message(metadata, metadata_of("text", "")));
  return *this;
}

Summary& Summary::plugin_data(std::string_view tag, std::string_view plugin_called, const ProtobufWriter& content) {
  // Readers of tensors expect one; the plug-in looks at the metadata alone.
  const ProtobufWriter nothing = ProtobufWriter().integer(dtype, float_type).message(tensor_shape, shape_of(0));
  add(tag, ProtobufWriter().message(tensor, nothing).message(metadata, metadata_of(plugin_called, content.bytes())));
  return *this;
}

}  // namespace lockstep

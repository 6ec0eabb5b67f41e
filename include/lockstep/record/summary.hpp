// What TensorBoard shows, as the message that an event carries: numbers, histograms, pictures, text, hyperparameters.
//
// Messages and field numbers: tensorflow/core/framework/summary.proto and histogram.proto (TensorBoard's own copies in
// tensorboard/compat/proto); text as its text plug-in reads it (a tensor of one string, Markdown), hyperparameters as its
// hparams plug-in does (hparams_plugin.hpp). Numbers are kept as 32-bit floats, which is all the format has for them.
// Tags group by what stands before their first slash. A value.
#pragma once
#include <string_view>

#include "lockstep/core/png.hpp"
#include "lockstep/record/protobuf_writer.hpp"
#include "lockstep/record/value_histogram.hpp"

namespace lockstep {

class Summary {
 public:
  Summary& number(std::string_view tag, double value);
  Summary& histogram(std::string_view tag, const ValueHistogram& values);
  Summary& picture(std::string_view tag, const Picture& picture);
  Summary& text(std::string_view tag, std::string_view markdown);
  /// What a plug-in keeps under a tag: its own message, which no other part of TensorBoard reads.
  Summary& plugin_data(std::string_view tag, std::string_view plugin, const ProtobufWriter& content);

  bool empty() const { return message_.bytes().empty(); }
  const ProtobufWriter& message() const { return message_; }

 private:
  void add(std::string_view tag, ProtobufWriter value);

  ProtobufWriter message_;
};

}  // namespace lockstep

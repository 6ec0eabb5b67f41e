#include "lockstep/record/hparams_plugin.hpp"

#include <algorithm>
#include <array>

namespace lockstep {
namespace {

// Fields of the messages, under the names they have there.
enum PluginData { version = 1, experiment = 2, session_start_info = 3, session_end_info = 4 };
enum ExperimentField { time_created = 3, hparam_infos = 4, metric_infos = 5, experiment_name = 6 };
enum HParamInfo { hparam_name = 1, hparam_description = 3, hparam_type = 4 };
enum MetricInfo { metric_name = 1, metric_display_name = 3, dataset_type = 5 };
enum MetricName { metric_tag_field = 2 };
enum SessionStart { hparams = 1, start_time = 5 };
enum SessionEnd { end_status = 1, end_time = 2 };
enum JsonValue { number_value = 2, string_value = 3, bool_value = 4 };  // google.protobuf.Value
enum DataType { string_type = 1, bool_type = 2, number_type = 3 };
constexpr std::int64_t format_version = 0, success = 1, of_training = 1, of_validation = 2;

/// Groups and single options that say nothing about what is computed.
constexpr std::array<std::string_view, 4> other_groups{"", "checkpoints", "communication", "logs"};
constexpr std::array<std::string_view, 9> other_options{"run",     "threads",      "loader-threads", "prefetch", "cache",
                                                        "stage",   "check-shards", "log-every",      "feature-folder"};

bool is_hyperparameter(const OptionRow& row) {
  return takes(Command::train, row) && row.type != OptionType::path && row.type != OptionType::path_list &&
         std::ranges::find(other_groups, row.group) == other_groups.end() &&
         std::ranges::find(other_options, row.name) == other_options.end();
}

DataType type_of(const OptionRow& row) {
  if (row.type == OptionType::flag) return bool_type;
  return row.type == OptionType::integer || row.type == OptionType::real ? number_type : string_type;
}

ProtobufWriter value_of(const OptionRow& row, const Options& options) {
  ProtobufWriter value;
  if (type_of(row) == bool_type)
    value.integer(bool_value, options.flag(row.name) ? 1 : 0);
  else if (type_of(row) == string_type)
    value.bytes(string_value, options.text(row.name));
  else
    value.real64(number_value, row.type == OptionType::real ? options.real(row.name)
                                                            : static_cast<double>(options.integer(row.name)));
  return value;
}

ProtobufWriter experiment_of(std::string_view metric_tag, bool judged, double seconds) {
  ProtobufWriter message;
  message.bytes(experiment_name, "lockstep").real64(time_created, seconds);
  for (const OptionRow& row : option_table()) {
    if (!is_hyperparameter(row)) continue;
    message.message(hparam_infos, ProtobufWriter()
                                      .bytes(hparam_name, row.name)
                                      .bytes(hparam_description, row.help)
                                      .integer(hparam_type, type_of(row)));
  }
  return message.message(metric_infos,
                         ProtobufWriter()
                             .message(metric_name, ProtobufWriter().bytes(metric_tag_field, metric_tag))
                             .bytes(metric_display_name, metric_tag)
                             .integer(dataset_type, judged ? of_validation : of_training));
}

void add(Summary& summary, std::string_view tag, PluginData field, const ProtobufWriter& message) {
  summary.plugin_data(tag, "hparams", ProtobufWriter().integer(version, format_version).message(field, message));
}

}  // namespace

void add_session_start(Summary& summary, const Options& options, std::string_view metric_tag, bool judged,
                       double seconds) {
  add(summary, "_hparams_/experiment", experiment, experiment_of(metric_tag, judged, seconds));
  ProtobufWriter start;
  for (const OptionRow& row : option_table()) {
    if (is_hyperparameter(row) && options.has(row.name)) start.entry(hparams, row.name, value_of(row, options));
  }
  start.real64(start_time, seconds);
  add(summary, "_hparams_/session_start_info", session_start_info, start);
}

void add_session_end(Summary& summary, double seconds) {
  const ProtobufWriter end = ProtobufWriter().integer(end_status, success).real64(end_time, seconds);
  add(summary, "_hparams_/session_end_info", session_end_info, end);
}

}  // namespace lockstep

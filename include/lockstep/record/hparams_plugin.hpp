// What TensorBoard's HParams tab reads of a run: its options as hyperparameters, and the metric by which it is judged.
//
// Messages: tensorboard/plugins/hparams/api.proto and plugin_data.proto; values are google.protobuf.Value. Hyperparameters
// are the options of train that say what is computed: not where things lie, how fast it goes or what is kept. Numbers
// and switches are such there too, all else is text. All runs of one program have the same ones, so that any of them can
// describe the experiment for all. The first message of a kind counts for TensorBoard. Pure functions.
#pragma once
#include <string_view>

#include "lockstep/config/options.hpp"
#include "lockstep/record/summary.hpp"

namespace lockstep {

/// The beginning of a run: what its hyperparameters are, with their values, and its metric.
/// `metric_tag`: the tag of the number that decides. `judged`: on a split that is not trained on. `seconds`: since 1970.
void add_session_start(Summary& summary, const Options& options, std::string_view metric_tag, bool judged,
                       double seconds);

/// Its end, as it should be.
void add_session_end(Summary& summary, double seconds);

}  // namespace lockstep

// What a run that starts from learnt weights does unless told otherwise, as values of ordinary options.
//
// Two things fill in what the user left unsaid: a transfer preset (--transfer), and that there are --weights at all.
// What comes out is a complete set of options, so that the record of the run holds every value and runs again as it is.
//
//   preset          is for                            because
//   small-similar   few images, like the weights'     the features fit; more training would fit the few images only
//   small-different few images, unlike the weights'   early features are general, late ones are the old task's
//   large-similar   many images, like the weights'    all may move, a little: early layers less than late ones
//   large-different many images, unlike the weights'  the weights are only a better start than random ones
//
// The four cases: Yosinski et al., 2014 (how transferable features are, layer by layer), and the lecture notes of
// CS231n, "Transfer learning". Pure functions. Errors: a preset without weights.
#pragma once
#include <string>

#include "lockstep/config/options.hpp"

namespace lockstep {

/// Options of train, and what was filled in: a line for a person, empty if nothing was.
struct FineTuning {
  Options options;
  std::string note;
};

/// With the preset's values for all that was not said. A freezing that was said keeps the preset's away, a learning
/// rate the preset's learning rates. Without --transfer: as they are.
FineTuning with_transfer_preset(const Options& options);

/// With a tenth of the usual learning rate but for the heads, unless a rate was said, and with `normalise` (a value of
/// --normalise; empty: nothing better is known), unless one was said or it is to be the weights'. Without --weights: as
/// they are.
FineTuning with_weight_defaults(const Options& options, const std::string& normalise);

}  // namespace lockstep

// What a sample's loss counts, by its class, made of the config and the data set.
//
// balanced: samples / (classes · samples of the class), as scikit-learn's class_weight="balanced", of the classes and
// labelled samples of the training split; a class without samples there has the weight 0 and isn't counted among the
// classes. Over an epoch of all samples the mean weight is 1. Internal to src/train. Pure functions. Errors: a number
// of weights that is not the number of classes.
#pragma once
#include <string>
#include <vector>

#include "lockstep/config/run_config.hpp"
#include "lockstep/data/manifest.hpp"

namespace lockstep {

/// [class]; empty: every sample counts alike. `split`: one or more names, joined by +.
std::vector<double> class_weights_of(const ClassWeightConfig& config, const Manifest& manifest,
                                     const std::string& split);

/// For a person, one line.
std::string describe_class_weights(const std::vector<double>& weights, const std::vector<std::string>& classes);

}  // namespace lockstep

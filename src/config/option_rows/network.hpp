// Options of the network: which, its layers, the weights it starts from, what of it is frozen.
//
// Rows of the table that option_table.cpp joins; private to it.
#pragma once
#include <array>

#include "config/option_rows/commands.hpp"

namespace lockstep::option_rows {

// name, group, commands, type, value, default, required, common, low, high, help
constexpr std::array network{
    OptionRow{"model", "model", train, choice, std::string_view(models.data(), models.size()), "custom", false, true, 0,
              0, "the custom CNN, described by the layer options below, or one of torchvision's networks"},
    OptionRow{
        "dropout", "model", train, real, "P", "", false, false, 0, 0.95,
        "dropout of a network that has some (VGG, Inception, Xception, SqueezeNet, MobileNet); else its own rate"},
    OptionRow{
        "weights", "model", train, path, "FILE|NAME", "", false, true, 0, 0,
        "weights to start from: a file of PyTorch, safetensors or Keras, or a name such as resnet50 to look up in "
        "LOCKSTEP_WEIGHTS and torch hub's cache; another number of classes: a new head"},
    OptionRow{"transfer", "model", train, choice, "small-similar|small-different|large-similar|large-different", "",
              false, true, 0, 0,
              "defaults for fine-tuning on few or many images, similar to what the weights learnt from or not"},
    OptionRow{
        "freeze", "model", train, text_list, "all-but-head|head|NAME,…", "", false, true, 0, 0,
        "keep the weights of all but the layers that give classes; of the fully connected part; or of modules and "
        "parameters by name, * for any letters (layer1,features.*)"},
    OptionRow{"freeze-fraction", "model", train, real, "SHARE", "0", false, false, 0, 1,
              "instead: this share of the network, from its input on; 1: all but the head"},
    OptionRow{"freeze-first", "model", train, integer, "N", "0", false, false, 0, 1e12,
              "instead: so many modules, or what --freeze-by counts, from its input on"},
    OptionRow{"freeze-by", "model", train, choice, "tensors|modules|parameters", "modules", false, false, 0, 0,
              "what share and number count: parameter tensors, the modules that own them, or single weights"},
    OptionRow{
        "unfreeze-at", "model", train, text_list, "EPOCH:SHARE,…", "", false, false, 0, 0,
        "unfreeze gradually: from the start of that epoch (the first is 1) only this first share is frozen; 3:0.5,6:0"},
    OptionRow{"allow-random-frozen", "model", train, flag, "", "false", false, false, 0, 0,
              "freeze weights that nothing was learnt into all the same, to measure speed"},
    OptionRow{"feature-cache", "model", train, choice, "off|memory|disk", "off", false, true, 0, 0,
              "run the frozen first part of the network once for each image (and view), then train on its results"},
    OptionRow{"feature-folder", "model", train, path, "DIR", "", false, false, 0, 0,
              "where they are kept for this run and others (--feature-cache disk); every rank must see it"},
    OptionRow{"filters", "model", train, integer_list, "N,N,…", "32,64,128,256,512", false, true, 1, 65536,
              "filters of each conv layer; as many layers as numbers"},
    OptionRow{"kernels", "model", train, integer_list, "N,N,…", "3", false, true, 1, 127,
              "kernel sides; one, or one per layer"},
    OptionRow{"activation", "model", train, choice_list, "relu|gelu|silu|mish|hardswish", "relu", false, true, 0, 0,
              "one, or one per layer (conv layers, then dense layers)"},
    OptionRow{"batch-norm", "model", train, flag, "", "true", false, false, 0, 0,
              "batch norm after conv and dense layers"},
    OptionRow{"batch-norm-stats", "model", train, text, "global|rank|group:N", "global", false, false, 0, 0,
              "statistics over the global batch, each rank's part, or groups of N"},
    OptionRow{"dropout-conv", "model", train, real_list, "P", "0", false, true, 0, 0.95,
              "dropout after conv layers; one, or one per layer"},
    OptionRow{"dropout-dense", "model", train, real_list, "P", "0", false, false, 0, 0.95,
              "dropout after dense layers; one, or one per layer"},
    OptionRow{"dense", "model", train, integer_list, "N,N,…", "256", false, true, 1, 1048576,
              "widths of the dense layers before the output"},
};

}  // namespace lockstep::option_rows

// Options of what batches hold: the data set, how it is read, augmentation and mixing; and of which data are judged.
//
// Rows of the table that option_table.cpp joins; private to it.
#pragma once
#include <array>

#include "config/option_rows/commands.hpp"

namespace lockstep::option_rows {

// name, group, commands, type, value, default, required, common, low, high, help
constexpr std::array data{
    OptionRow{"data", "data", train, path, "DIR", "", true, true, 0, 0, "the data set to train on"},
    OptionRow{"data", "data", evaluate, path, "DIR", "", false, true, 0, 0,
              "the data set, if it has moved since the run, or another one of the same classes"},
    OptionRow{"data", "data", bench_loader, path, "DIR", "", true, true, 0, 0, "the data set to read"},
    OptionRow{"run", "data", train, path, "DIR", "", false, true, 0, 0, "folder of this run, made by it (required)"},
    OptionRow{"run", "data", evaluate, path_list, "DIR", "", true, true, 0, 0,
              "the run to evaluate; said several times: an ensemble"},
    OptionRow{"split", "data", evaluate, text, "NAME", "validation", false, true, 0, 0, "split to evaluate"},
    OptionRow{"weights", "data", evaluate, choice, "best|last", "best", false, true, 0, 0,
              "which of the run's weights"},
    OptionRow{"test-time-flips", "data", evaluate | predict, choice, "none|horizontal|both", "none", false, false, 0, 0,
              "average the probabilities of the image and its mirror images: left-right, or upside down too"},
    OptionRow{"train-split", "data", loading, text, "NAME[+NAME…]", "train", false, false, 0, 0,
              "split to train on; train+validation joins two"},
    OptionRow{"eval-split", "data", train, text, "NAME", "validation", false, false, 0, 0,
              "split that judges the weights; none, or a set without it: the training loss decides"},
    OptionRow{"eval-every", "data", train, text, "N|Nsteps|never", "1", false, false, 0, 0,
              "judge every N epochs or steps, and at the end"},
    OptionRow{"side", "data", loading, integer, "PIXELS", "0", false, true, 0, 16384,
              "side of the training crop; 0: as packed"},
    OptionRow{"eval-resize", "data", loading | predict, integer, "PIXELS", "0", false, false, 0, 16384,
              "evaluation resizes to this side, then crops the centre; 0: as packed"},
    OptionRow{"normalise", "data", loading, text, "WAY|MEAN/STD", "standardise", false, true, 0, 0,
              "standardise (by the data set's mean and std), unit (to 0 … 1), symmetric (to −1 … 1), imagenet, weights "
              "(as --weights were trained; "
              "the default with them), or numbers: 0.5,0.5,0.5/0.25,0.25,0.25"},
    OptionRow{"threads", "data", train | evaluate | predict, integer, "N", "0", false, false, 0, 1024,
              "compute threads per rank; 0: this rank's share of the cores"},
    OptionRow{"loader-threads", "data", loading, integer, "N", "0", false, false, 0, 1024,
              "threads that prepare batches, per rank; 0: as many as compute threads"},
    OptionRow{"sampling", "data", loading, choice, "uniform|balanced|weighted", "uniform", false, true, 0, 0,
              "an epoch has each sample once; all classes equally often; or samples by the weights packed with them"},
    OptionRow{"shuffle-window", "data", loading, integer, "SAMPLES", "0", false, false, 0, whole,
              "for storage that is slow at random: read large blocks, shuffle within so many samples; 0: all of them"},
    OptionRow{"cache", "data", loading, choice, "none|page|ram", "page", false, false, 0, 0,
              "memory for read data: none, the system's page cache, or all of it locked in memory, once per node"},
    OptionRow{"stage", "data", loading, path, "DIR", "", false, false, 0, 0,
              "copy the shards to this folder of each node (a local disk) first; nothing of it stays behind"},
    OptionRow{"check-shards", "data", train, choice, "first-epoch|never", "first-epoch", false, false, 0, 0,
              "compare all checksums in the background of the first epoch"},
    OptionRow{"loader-output", "data", loading, choice, "float32|uint8", "float32", false, false, 0, 0,
              "uint8: a quarter of the bytes to a GPU, which normalises; pixels are rounded to whole levels"},
    OptionRow{"prefetch", "data", loading, integer, "BATCHES", "3", false, false, 1, 1000,
              "batches prepared ahead, per rank"},

    OptionRow{"augment", "augmentation", loading, flag, "", "false", false, true, 0, 0,
              "random crops, flips and what is set below"},
    OptionRow{"crop-scale", "augmentation", loading, real_list, "LOW,HIGH", "0.35,1", false, false, 0.01, 1,
              "share of the area a random resized crop keeps; 1,1: none"},
    OptionRow{"crop-ratio", "augmentation", loading, real_list, "LOW,HIGH", "0.75,1.3333", false, false, 0.1, 10,
              "aspect ratio of that crop"},
    OptionRow{"flip", "augmentation", loading, real, "P", "0.5", false, false, 0, 1,
              "probability of a horizontal flip"},
    OptionRow{"vertical-flip", "augmentation", loading, real, "P", "0", false, false, 0, 1,
              "probability of a vertical flip"},
    OptionRow{"rotation", "augmentation", loading, real, "DEGREES", "0", false, false, 0, 180,
              "rotation by up to ± this angle"},
    OptionRow{"scaling", "augmentation", loading, real, "SHARE", "0", false, false, 0, 0.9,
              "scaling by a factor in 1 ± this share"},
    OptionRow{"translation", "augmentation", loading, real, "SHARE", "0", false, false, 0, 0.9,
              "shift by up to ± this share of the side"},
    OptionRow{"colour-jitter", "augmentation", loading, real, "SHARE", "0", false, false, 0, 0.9,
              "brightness, contrast and saturation by factors in 1 ± this share"},
    OptionRow{"randaugment", "augmentation", loading, integer_list, "N,M", "0,0", false, false, 0, 30,
              "RandAugment: N operations of magnitude M (0 … 30), drawn for each image; usual: 2,9"},
    OptionRow{"random-erasing", "augmentation", loading, real, "P", "0", false, false, 0, 1,
              "probability of a rectangle (2 … 33 % of the area) put to the mean colour"},
    OptionRow{"fixed-views", "augmentation", loading, integer, "K", "0", false, false, 0, 1000,
              "see every image in K fixed ways, one an epoch in turn, instead of a new one each time; 0: always new"},

    OptionRow{"mixup", "augmentation", loading, real, "ALPHA", "0", false, false, 0, 100,
              "mix pairs of samples, each by a share from Beta(ALPHA, ALPHA); 0: off"},
    OptionRow{
        "cutmix", "augmentation", loading, real, "ALPHA", "0", false, false, 0, 100,
        "paste a box of the other sample, of a share from Beta(ALPHA, ALPHA); with --mixup: either, half and half"},
    OptionRow{"mix-probability", "augmentation", loading, real, "P", "1", false, false, 0, 1,
              "share of the samples that are mixed"},
};

}  // namespace lockstep::option_rows

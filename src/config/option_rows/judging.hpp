// Options of predict and evaluate: whose networks, which images, ensembles, comparing predictions with labels.
//
// Rows of the table that option_table.cpp joins; private to it.
#pragma once
#include <array>

#include "config/option_rows/commands.hpp"

namespace lockstep::option_rows {

// name, group, commands, type, value, default, required, common, low, high, help
constexpr std::array judging{
    OptionRow{"run", "data", predict, path_list, "DIR", "", false, true, 0, 0,
              "the run whose network names the images; said several times: an ensemble"},
    OptionRow{"weights", "data", predict, text, "best|last|FILE|NAME", "best", false, true, 0, 0,
              "which of the runs' weights; without --run: a weight file, or a name such as resnet50 to look up"},
    OptionRow{"model", "data", predict, choice, std::string_view(models.data(), models.size()), "", false, true, 0, 0,
              "the network of a weight file that does not say it"},
    OptionRow{"class-names", "data", predict, path, "FILE", "", false, true, 0, 0,
              "the classes of a weight file that does not name them, a line each; else they are numbers"},
    OptionRow{"side", "data", predict, integer, "PIXELS", "0", false, false, 0, 16384,
              "side of the images for a weight file; 0: what the file says, or the network's native side"},
    OptionRow{"images", "input", predict, path, "PATH", "", true, true, 0, 0,
              "a packed data set, a folder of images, or a CSV file (or a folder with one) that names them"},
    OptionRow{"csv-name", "input", predict, text, "COLUMN", "", false, false, 0, 0,
              "column of the images' names in that CSV file, with or without extension; else found by its name"},
    OptionRow{"images-folder", "input", predict, path, "DIR", "", false, false, 0, 0,
              "folder with the images of that CSV file, if it's not in one of the usual places"},
    OptionRow{"max-pixels", "input", predict, integer, "MEGAPIXELS", "100", false, false, 1, 4294,
              "refuse larger images of a folder or CSV file, by their header"},
    OptionRow{"split", "input", predict, text, "NAME", "", false, true, 0, 0,
              "split of a packed data set; else its only one, or test"},
    OptionRow{"output", "output", predict, path, "FILE", "", true, true, 0, 0, "the CSV file to write"},
    OptionRow{"id", "output", predict, choice, "stem|file|path|number", "stem", false, true, 0, 0,
              "an image's name: its file's, without or with extension, its path, or the number of the sample"},
    OptionRow{"label", "output", predict, choice, "name|index", "name", false, true, 0, 0,
              "classes by their names or by their numbers, from 0"},
    OptionRow{"probabilities", "output", predict, flag, "", "false", false, true, 0, 0, "a column for each class, too"},
    OptionRow{"top", "output", predict, integer, "K", "", false, true, 1, 100000,
              "K likeliest classes with their probabilities: label, probability, label_2, …"},
    OptionRow{
        "predictions", "compare", evaluate, path, "FILE", "", false, true, 0, 0,
        "instead of --run: a run's predictions.h5, judged again; or the CSV that predict has written, with --labels"},
    OptionRow{"labels", "compare", evaluate, path, "FILE", "", false, true, 0, 0,
              "CSV file with the right labels, matched by id, with or without the images' extension"},
    OptionRow{"against", "compare", evaluate, path, "RUN|FILE", "", false, true, 0, 0,
              "another run, predictions.h5 or CSV: is one better by more than chance, on the same samples?"},
    OptionRow{"csv-name", "compare", evaluate, text, "COLUMN", "", false, false, 0, 0,
              "column of the ids in --labels; else found by its name"},
    OptionRow{"csv-label", "compare", evaluate, text, "COLUMN", "", false, false, 0, 0,
              "column of the labels in --labels; else found by its name"},
    OptionRow{"output", "compare", evaluate, path, "FILE", "", false, true, 0, 0,
              "write the metrics there as JSON (several runs, or --predictions; of one run they are in its folder)"},
    OptionRow{"keep-predictions", "metrics", evaluate, flag, "", "true", false, true, 0, 0,
              "of one run: keep the scores of all samples, in predictions.h5 of its folder"},
    OptionRow{"calibrate-on", "metrics", evaluate, text, "SPLIT", "", false, true, 0, 0,
              "fit a temperature on this split, and show the loss and calibration it gives beside those without"},
    OptionRow{"bins", "metrics", evaluate, integer, "N", "15", false, false, 1, 1000,
              "of equal width, of the reliability curve and its expected calibration error"},
    OptionRow{"bootstrap", "metrics", evaluate, integer, "N", "1000", false, true, 0, 1000000,
              "resamples of the samples for intervals of the figures; 0: none"},
    OptionRow{"level", "metrics", evaluate, real, "SHARE", "0.95", false, false, 0.01, 0.9999,
              "how much of the resamples an interval holds"},
    OptionRow{"seed", "metrics", evaluate, integer, "N", "0", false, false, 0, whole, "of the resamples' draws"},
    OptionRow{"ensemble", "ensemble", evaluate | predict, choice, "average|vote|best|greedy|parameters", "average",
              false, true, 0, 0,
              "several runs: mean probabilities, votes, the best member, greedy selection, or mean weights"},
    OptionRow{"member-weights", "ensemble", evaluate | predict, real_list, "W,W,…", "", false, true, 0, 1e6,
              "of the runs in their order, for average, vote and parameters; else all count alike"},
    OptionRow{"choose-on", "ensemble", evaluate | predict, text, "SPLIT|none", "validation", false, false, 0, 0,
              "split of the runs' data set on which members are compared, and chosen by best and greedy"},
};

}  // namespace lockstep::option_rows

// Options of preprocess: what comes in, and what becomes of it.
//
// Rows of the table that option_table.cpp joins; private to it.
#pragma once
#include <array>

#include "config/option_rows/commands.hpp"

namespace lockstep::option_rows {

// name, group, commands, type, value, default, required, common, low, high, help
constexpr std::array packing{
    OptionRow{"source", "input", preprocess, choice, "class-folders|csv|images|idx|cifar10|cifar100|generated", "",
              true, true, 0, 0,
              "what the input is: a folder per class, tables, images without classes, MNIST's or CIFAR's files, or "
              "pictures made up here"},
    OptionRow{"input", "input", preprocess, path, "PATH", "", false, true, 0, 0,
              "folder with the images, or a CSV file (not for generated)"},
    OptionRow{"folder-as", "input", preprocess, text_list, "GIVEN=SPLIT", "", false, true, 0, 0,
              "take a given folder as another split, such as val=test"},
    OptionRow{"class-folder", "input", preprocess, choice, "first|deepest", "first", false, true, 0, 0,
              "class-folders: the class is the first folder below the split, or the one that holds the image"},
    OptionRow{"csv-name", "input", preprocess, text, "COLUMN", "", false, true, 0, 0,
              "csv: column of the images' names, with or without extension; else found by its name"},
    OptionRow{"csv-label", "input", preprocess, text, "COLUMN", "", false, true, 0, 0,
              "csv: column of the labels; else found by its name"},
    OptionRow{"csv-weight", "input", preprocess, text, "COLUMN", "", false, true, 0, 0,
              "csv: column of the samples' weights, for weighted sampling"},
    OptionRow{"split", "input", preprocess, text, "NAME", "", false, true, 0, 0,
              "images, csv: all images are unlabelled samples of this split (images: predict, if not said)"},
    OptionRow{"images-folder", "input", preprocess, path, "DIR", "", false, true, 0, 0,
              "csv: folder with the images, if it's not in one of the usual places"},
    OptionRow{"class-names", "input", preprocess, path, "FILE", "", false, true, 0, 0,
              "class-folders, csv: readable names of the classes, a line each (n01440764 tench) or JSON"},
    OptionRow{"strict", "input", preprocess, flag, "", "false", false, true, 0, 0,
              "stop at the first image that can't be decoded, or a CIFAR file without its official number of records"},
    OptionRow{
        "drop-duplicates", "input", preprocess, flag, "", "false", false, true, 0, 0,
        "leave out images with the bytes of another one; kept is the test's, then the validation's, then the first"},
    OptionRow{
        "fail-on", "input", preprocess, choice_list,
        "corrupt|duplicates|near-duplicates|leakage|near-leakage|conflicting-labels|near-conflicts|blank|empty-classes",
        "", false, true, 0, 0, "what a data set must not have: it is not made, or the audit ends with exit code 1"},
    OptionRow{"max-pixels", "input", preprocess, integer, "MEGAPIXELS", "100", false, false, 1, 4294,
              "refuse larger images, by their header, before memory is taken for them"},
    OptionRow{"images", "input", preprocess, integer, "N", "3000", false, false, 10, 1e8,
              "generated: number of images"},
    OptionRow{"classes", "input", preprocess, integer, "N", "10", false, false, 2, 10, "generated: number of classes"},
    OptionRow{"output", "output", preprocess, path, "DIR", "", true, true, 0, 0,
              "the data set's folder; an unfinished packing there goes on where it was"},
    OptionRow{"add", "output", preprocess, flag, "", "false", false, true, 0, 0,
              "pack what is new in the input beside what the data set has; nothing may be gone or changed"},
    OptionRow{"side", "output", preprocess, integer, "PIXELS", "0", false, true, 0, 16384,
              "side of the stored images; 0: 224, for idx and CIFAR the images' own, for generated 64"},
    OptionRow{"resize", "output", preprocess, choice, "crop|stretch|pad", "crop", false, true, 0, 0,
              "shorter side to --side and centre crop; ignore the aspect ratio; or fit and pad with black"},
    OptionRow{"channels", "output", preprocess, integer, "1|3", "3", false, true, 1, 3, "grey or RGB"},
    OptionRow{"store", "output", preprocess, choice, "raw|jpeg|auto", "raw", false, true, 0, 0,
              "keep pixels, or JPEG files of that size (the original where it fits); auto: measured on a sample"},
    OptionRow{"quality", "output", preprocess, integer, "1..100", "90", false, true, 1, 100,
              "of JPEG files that are written; below 95 with halved colours (4:2:0)"},
    OptionRow{"validation", "output", preprocess, real, "SHARE", "0.2", false, true, 0, 0.9,
              "share of the training images cut off for validation, if none is given"},
    OptionRow{"test", "output", preprocess, real, "SHARE", "0.1", false, true, 0, 0.9,
              "share of all images cut off for the test, if neither test nor validation is given"},
    OptionRow{"shard-mib", "output", preprocess, integer, "MIB", "64", false, false, 1, 65536,
              "size of a shard, in raw image bytes"},
    OptionRow{"threads", "output", preprocess, integer, "N", "0", false, false, 0, 1024,
              "decoding threads per rank; 0: this rank's share of the cores"},
};

}  // namespace lockstep::option_rows

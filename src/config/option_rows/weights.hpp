// Options of weights list, weights convert and weights compare.
//
// Rows of the table that option_table.cpp joins; private to it.
#pragma once
#include <array>

#include "config/option_rows/commands.hpp"

namespace lockstep::option_rows {

// name, group, commands, type, value, default, required, common, low, high, help
constexpr std::array weights{
    OptionRow{"file", "weights", weights_list, path, "FILE", "", true, true, 0, 0,
              "the weight file, of any format (the word --file may be left out)"},
    OptionRow{"input", "weights", weights_convert, path, "FILE", "", true, true, 0, 0,
              "the weight file to read, of any format (the word --input may be left out)"},
    OptionRow{"output", "weights", weights_convert, path, "FILE", "", true, true, 0, 0,
              "the file to write: .safetensors, or .pth or .pt for PyTorch (the word --output may be left out)"},
    OptionRow{"first", "weights", weights_compare, path, "FILE", "", true, true, 0, 0,
              "a weight file of any format (the word --first may be left out)"},
    OptionRow{"second", "weights", weights_compare, path, "FILE", "", true, true, 0, 0,
              "another one (the word --second may be left out)"},
    OptionRow{"model", "weights", weights_convert | weights_compare, choice, "vgg16|vgg19|xception|squeezenet1_1", "",
              false, true, 0, 0, "whose layers a file of Keras holds; other formats carry the names themselves"},
    OptionRow{"tolerance", "weights", weights_compare, real, "X", "0", false, true, 0, 1e300,
              "largest difference between two values that counts as equal"},
    OptionRow{"json", "", weights_list, flag, "", "false", false, true, 0, 0, "print JSON instead of a table"},
};

}  // namespace lockstep::option_rows

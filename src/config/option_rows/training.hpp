// Options of the recipe: optimiser, learning rate and its schedule, regularisers, what decides and when it ends.
//
// Rows of the table that option_table.cpp joins; private to it.
#pragma once
#include <array>

#include "config/option_rows/commands.hpp"

namespace lockstep::option_rows {

// name, group, commands, type, value, default, required, common, low, high, help
constexpr std::array training{
    OptionRow{"epochs", "training", train, integer, "N", "10", false, true, 1, 1e6, "passes over the training split"},
    OptionRow{"batch", "training", loading, integer, "N", "64", false, true, 1, 1e7,
              "global batch: samples per step over all ranks"},
    OptionRow{"optimiser", "training", train, choice, "adam|adamw|sgd", "adam", false, true, 0, 0, "optimiser"},
    OptionRow{"lr", "training", train, real, "X", "0.001", false, true, tiny, 1e4,
              "learning rate; with --weights 0.0001, and 0.001 for the layers that give classes"},
    OptionRow{"head-lr", "training", train, real, "X", "", false, false, tiny, 1e4,
              "learning rate of the layers that give classes, if another; --schedule goes for all alike"},
    OptionRow{"layer-decay", "training", train, real, "D", "1", false, false, 0.01, 1,
              "layer-wise: the learning rate times D for each trained stage of the network that follows"},
    OptionRow{"schedule", "training", train, choice, "constant|step|cosine", "constant", false, true, 0, 0,
              "how the learning rate goes on after the warm-up"},
    OptionRow{"warmup", "training", train, text, "N|Nsteps|never", "never", false, true, 0, 0,
              "epochs or steps in which the learning rate rises to --lr"},
    OptionRow{"lr-step", "training", train, integer_list, "EPOCHS", "30", false, false, 1, 1e6,
              "step: every so many epochs, or the epochs at which"},
    OptionRow{"lr-gamma", "training", train, real, "X", "0.1", false, false, tiny, 1,
              "step: factor of the learning rate"},
    OptionRow{"min-lr", "training", train, real, "X", "0", false, false, 0, 1e4, "cosine: where it ends"},
    OptionRow{"weight-decay", "training", train, real, "X", "0", false, true, 0, 10,
              "L2 added to the gradient (sgd, adam) or decoupled (adamw)"},
    OptionRow{"momentum", "training", train, real, "X", "0.9", false, false, 0, 0.9999, "sgd: momentum"},
    OptionRow{"nesterov", "training", train, flag, "", "false", false, false, 0, 0, "sgd: Nesterov's form of momentum"},
    OptionRow{"adam-betas", "training", train, real_list, "B1,B2", "0.9,0.999", false, false, 0, 0.999999,
              "adam, adamw: decay of the moments"},
    OptionRow{"adam-epsilon", "training", train, real, "X", "1e-8", false, false, tiny, 1,
              "adam, adamw: added to the denominator"},
    OptionRow{"label-smoothing", "training", train, real, "X", "0", false, false, 0, 0.99,
              "share of the target spread over all classes"},
    OptionRow{"metric", "training", train, choice, "accuracy|macro-recall|macro-f1|auc|loss", "accuracy", false, true,
              0, 0, "what decides the best weights, on --eval-split"},
    OptionRow{"device", "training", train | evaluate | predict, choice, "cpu|cuda", "cpu", false, true, 0, 0,
              "where the network is computed; cuda: a GPU for each rank"},
    OptionRow{"max-steps", "training", train, integer, "N", "0", false, false, 0, 1e15,
              "end after so many steps, even within an epoch; 0: --epochs decides"},
    OptionRow{"seed", "training", preprocess | loading, integer, "N", "0", false, true, 0, whole,
              "of every random draw"},
    OptionRow{"log-every", "training", train, integer, "STEPS", "10", false, false, 1, 1e9,
              "steps between two lines of log.jsonl within an epoch"},
};

}  // namespace lockstep::option_rows

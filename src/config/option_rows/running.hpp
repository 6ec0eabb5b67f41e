// Options of how a run is kept and looked at: checkpoints, exchange, questions instead of a run.
//
// Rows of the table that option_table.cpp joins; private to it.
#pragma once
#include <array>

#include "config/option_rows/commands.hpp"

namespace lockstep::option_rows {

// name, group, commands, type, value, default, required, common, low, high, help
constexpr std::array running{
    OptionRow{"checkpoint-every", "checkpoints", train, text, "N|Nsteps|Nminutes|never", "1", false, true, 0, 0,
              "keep all that --resume needs every N epochs, steps or minutes, at a stop and at the end"},
    OptionRow{"keep-checkpoints", "checkpoints", train, integer, "N", "2", false, false, 1, 1e6,
              "how many of them stay, the newest"},
    OptionRow{"tensorboard", "logs", train, flag, "", "true", false, false, 0, 0,
              "write TensorBoard's event files into the run's folder, beside log.jsonl"},
    OptionRow{"tensorboard-histograms", "logs", train, integer, "EPOCHS", "1", false, false, 0, 1e9,
              "histograms of trained weights and their gradients after every so many epochs; 0: none"},
    OptionRow{"tensorboard-images", "logs", train, integer, "N", "8", false, false, 0, 1000,
              "judged images with what was said of them, whenever the weights are the best so far; 0: none"},
    OptionRow{"bucket-mib", "communication", train, real, "MIB", "25", false, false, 0.001, 4096,
              "size of a gradient bucket"},
    OptionRow{"timeout", "communication", train | evaluate | predict, real, "SECONDS", "600", false, false, 1, 1e6,
              "an exchange between ranks that takes longer ends the run, naming it and who waited"},
    OptionRow{
        "audit", "", preprocess, path, "DIR", "", false, true, 0, 0,
        "look a packed data set through for duplicates, leakage, wrong labels, blank images …; nothing is packed"},
    OptionRow{"audit-file", "", preprocess, path, "FILE", "", false, false, 0, 0,
              "where --audit writes its JSON; else audit.json in the data set's folder"},
    OptionRow{"verify", "", preprocess, path, "DIR", "", false, true, 0, 0,
              "compare every byte of a packed data set with its checksums; nothing is packed"},
    OptionRow{"resume", "", train, path, "RUN", "", false, true, 0, 0,
              "go on with this run from its newest checkpoint, on any number of ranks"},
    OptionRow{"from", "", train, path, "RUN", "", false, true, 0, 0,
              "refine this run: a child with its options but for what is said, from its best weights (or --weights last)"},
    OptionRow{"forget", "", train, text_list, "OPTION,…", "", false, false, 0, 0,
              "with --from: options of the parent that the child does not take over, such as early-stopping,stage"},
    OptionRow{"dry-run", "", train, flag, "", "false", false, true, 0, 0,
              "make a few steps without writing anything; say what the run will take in time and memory"},
    OptionRow{
        "find-lr", "", train, flag, "", "false", false, true, 0, 0,
        "try rising learning rates on the run's first batches, suggest one, keep nothing; with --run: a plot there"},
    OptionRow{"folder", "", runs, path, "DIR", "", true, true, 0, 0,
              "folder with runs below it, or a run (the word --folder may be left out)"},
    OptionRow{"json", "", runs, flag, "", "false", false, true, 0, 0, "print JSON instead of a table"},
    OptionRow{"seconds", "", bench_loader, real, "S", "10", false, true, 0.1, 86400,
              "how long to measure, after the first batches have come"},
    OptionRow{"json", "", bench_loader, path, "FILE", "", false, true, 0, 0, "write the figures there too"},
    OptionRow{"print-model", "", train, flag, "", "false", false, true, 0, 0,
              "show layers, shapes, parameters and FLOPs, then stop"},
};

}  // namespace lockstep::option_rows

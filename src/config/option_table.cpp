#include "lockstep/config/option_table.hpp"

#include <array>

#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

constexpr unsigned preprocess = static_cast<unsigned>(Command::preprocess);
constexpr unsigned train = static_cast<unsigned>(Command::train);
constexpr unsigned evaluate = static_cast<unsigned>(Command::evaluate);
constexpr double whole = 9007199254740992.0;  // 2^53: integers that survive a JSON reader
constexpr double tiny = 1e-300;               // "greater than zero"
using enum OptionType;

constexpr std::array commands{
    CommandRow{Command::preprocess, "preprocess",
               "images → a data set (HDF5 shards + manifest); under mpirun: in parallel",
               "lockstep preprocess --source class-folders|csv|idx|… --input PATH --output DIR [options]",
               "lockstep preprocess --source generated --output datasets/example --side 32 --images 1200"},
    CommandRow{Command::train, "train", "a data set → a run (mpirun -np N lockstep train …)",
               "lockstep train --data DIR --run DIR [--config FILE] [options]",
               "lockstep train --data datasets/quickstart --run runs/example --filters 16,32 --kernels 3 --epochs 2"},
    CommandRow{Command::evaluate, "evaluate", "a run × a split → metrics", "lockstep evaluate --run DIR [options]",
               "lockstep evaluate --run runs/example --split test"},
};

// name, group, commands, type, value, default, required, common, low, high, help
constexpr std::array options{
    OptionRow{"source", "input", preprocess, choice, "class-folders|csv|idx|cifar10|cifar100|generated", "", true, true,
              0, 0,
              "what the input is: a folder per class, tables, MNIST's or CIFAR's files, or pictures made up here"},
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
    OptionRow{"images-folder", "input", preprocess, path, "DIR", "", false, true, 0, 0,
              "csv: folder with the images, if it's not in one of the usual places"},
    OptionRow{"class-names", "input", preprocess, path, "FILE", "", false, true, 0, 0,
              "class-folders, csv: readable names of the classes, a line each (n01440764 tench) or JSON"},
    OptionRow{"strict", "input", preprocess, flag, "", "false", false, true, 0, 0,
              "stop at the first image that can't be decoded, or a CIFAR file without its official number of records"},
    OptionRow{"images", "input", preprocess, integer, "N", "3000", false, false, 10, 1e8,
              "generated: number of images"},
    OptionRow{"classes", "input", preprocess, integer, "N", "10", false, false, 2, 10, "generated: number of classes"},
    OptionRow{"output", "output", preprocess, path, "DIR", "", true, true, 0, 0,
              "the data set's folder; must not hold one yet"},
    OptionRow{"side", "output", preprocess, integer, "PIXELS", "0", false, true, 0, 16384,
              "side of the stored images; 0: 224, for idx and CIFAR the images' own, for generated 64"},
    OptionRow{"resize", "output", preprocess, choice, "crop|stretch|pad", "crop", false, true, 0, 0,
              "shorter side to --side and centre crop; ignore the aspect ratio; or fit and pad with black"},
    OptionRow{"channels", "output", preprocess, integer, "1|3", "3", false, true, 1, 3, "grey or RGB"},
    OptionRow{"validation", "output", preprocess, real, "SHARE", "0.2", false, true, 0, 0.9,
              "share of the training images cut off for validation, if none is given"},
    OptionRow{"test", "output", preprocess, real, "SHARE", "0.1", false, true, 0, 0.9,
              "share of all images cut off for the test, if neither test nor validation is given"},
    OptionRow{"shard-mib", "output", preprocess, integer, "MIB", "64", false, false, 1, 65536,
              "size of a shard, in raw image bytes"},
    OptionRow{"threads", "output", preprocess, integer, "N", "0", false, false, 0, 1024,
              "decoding threads per rank; 0: this rank's share of the cores"},

    OptionRow{"data", "data", train, path, "DIR", "", true, true, 0, 0, "the data set to train on"},
    OptionRow{"data", "data", evaluate, path, "DIR", "", false, true, 0, 0,
              "the data set, if it has moved since the run, or another one of the same classes"},
    OptionRow{"run", "data", train, path, "DIR", "", false, true, 0, 0, "folder of this run, made by it (required)"},
    OptionRow{"run", "data", evaluate, path, "DIR", "", true, true, 0, 0, "the run to evaluate"},
    OptionRow{"split", "data", evaluate, text, "NAME", "validation", false, true, 0, 0, "split to evaluate"},
    OptionRow{"weights", "data", evaluate, choice, "best|last", "best", false, true, 0, 0,
              "which of the run's weights"},
    OptionRow{"train-split", "data", train, text, "NAME[+NAME…]", "train", false, false, 0, 0,
              "split to train on; train+validation joins two"},
    OptionRow{"eval-split", "data", train, text, "NAME", "validation", false, false, 0, 0,
              "split that judges the weights; none, or a set without it: the training loss decides"},
    OptionRow{"eval-every", "data", train, text, "N|Nsteps|never", "1", false, false, 0, 0,
              "judge every N epochs or steps, and at the end"},
    OptionRow{"side", "data", train, integer, "PIXELS", "0", false, true, 0, 16384,
              "side of the training crop; 0: as packed"},
    OptionRow{"eval-resize", "data", train, integer, "PIXELS", "0", false, false, 0, 16384,
              "evaluation resizes to this side, then crops the centre; 0: as packed"},
    OptionRow{"normalise", "data", train, choice, "standardise|unit|imagenet", "standardise", false, true, 0, 0,
              "by the data set's mean and std, to 0 … 1, or by ImageNet's mean and std"},
    OptionRow{"threads", "data", train | evaluate, integer, "N", "0", false, false, 0, 1024,
              "compute threads per rank; 0: this rank's share of the cores"},
    OptionRow{"loader-threads", "data", train, integer, "N", "0", false, false, 0, 1024,
              "threads that prepare batches, per rank; 0: as many as compute threads"},
    OptionRow{"prefetch", "data", train, integer, "BATCHES", "3", false, false, 1, 1000,
              "batches prepared ahead, per rank"},

    OptionRow{"augment", "augmentation", train, flag, "", "false", false, true, 0, 0,
              "random crops, flips and what is set below"},
    OptionRow{"crop-scale", "augmentation", train, real_list, "LOW,HIGH", "0.35,1", false, false, 0.01, 1,
              "share of the area a random resized crop keeps; 1,1: none"},
    OptionRow{"crop-ratio", "augmentation", train, real_list, "LOW,HIGH", "0.75,1.3333", false, false, 0.1, 10,
              "aspect ratio of that crop"},
    OptionRow{"flip", "augmentation", train, real, "P", "0.5", false, false, 0, 1, "probability of a horizontal flip"},
    OptionRow{"vertical-flip", "augmentation", train, real, "P", "0", false, false, 0, 1,
              "probability of a vertical flip"},
    OptionRow{"rotation", "augmentation", train, real, "DEGREES", "0", false, false, 0, 180,
              "rotation by up to ± this angle"},
    OptionRow{"scaling", "augmentation", train, real, "SHARE", "0", false, false, 0, 0.9,
              "scaling by a factor in 1 ± this share"},
    OptionRow{"translation", "augmentation", train, real, "SHARE", "0", false, false, 0, 0.9,
              "shift by up to ± this share of the side"},
    OptionRow{"colour-jitter", "augmentation", train, real, "SHARE", "0", false, false, 0, 0.9,
              "brightness, contrast and saturation by factors in 1 ± this share"},

    OptionRow{"model", "model", train, choice, "custom|resnet18|resnet34|resnet50", "custom", false, true, 0, 0,
              "the custom CNN, described by the layer options below, or a residual network"},
    OptionRow{"weights", "model", train, path, "FILE", "", false, true, 0, 0,
              "safetensors file to start from, ours or torchvision's; another number of classes: a new head"},
    OptionRow{"freeze-fraction", "model", train, real, "SHARE", "0", false, true, 0, 1,
              "share of the network, from its input on, that keeps its weights"},
    OptionRow{"freeze-by", "model", train, choice, "tensors|modules|parameters", "modules", false, false, 0, 0,
              "what the share counts: parameter tensors, the modules that own them, or single weights"},
    OptionRow{"allow-random-frozen", "model", train, flag, "", "false", false, false, 0, 0,
              "freeze without --weights all the same, to measure speed"},
    OptionRow{"filters", "model", train, integer_list, "N,N,…", "32,64,128,256,512", false, true, 1, 65536,
              "filters of each conv layer; as many layers as numbers"},
    OptionRow{"kernels", "model", train, integer_list, "N,N,…", "3", false, true, 1, 127,
              "kernel sides; one, or one per layer"},
    OptionRow{"activation", "model", train, choice_list, "relu|gelu|silu|mish", "relu", false, true, 0, 0,
              "one, or one per layer (conv layers, then dense layers)"},
    OptionRow{"batch-norm", "model", train, flag, "", "true", false, true, 0, 0,
              "batch norm after conv and dense layers"},
    OptionRow{"batch-norm-stats", "model", train, text, "global|rank|group:N", "global", false, true, 0, 0,
              "statistics over the global batch, each rank's part, or groups of N"},
    OptionRow{"dropout-conv", "model", train, real_list, "P", "0", false, true, 0, 0.95,
              "dropout after conv layers; one, or one per layer"},
    OptionRow{"dropout-dense", "model", train, real_list, "P", "0", false, true, 0, 0.95,
              "dropout after dense layers; one, or one per layer"},
    OptionRow{"dense", "model", train, integer_list, "N,N,…", "256", false, true, 1, 1048576,
              "widths of the dense layers before the output"},

    OptionRow{"epochs", "training", train, integer, "N", "10", false, true, 1, 1e6, "passes over the training split"},
    OptionRow{"batch", "training", train, integer, "N", "64", false, true, 1, 1e7,
              "global batch: samples per step over all ranks"},
    OptionRow{"optimiser", "training", train, choice, "adam|adamw|sgd", "adam", false, true, 0, 0, "optimiser"},
    OptionRow{"lr", "training", train, real, "X", "0.001", false, true, tiny, 1e4, "learning rate"},
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
    OptionRow{"label-smoothing", "training", train, real, "X", "0", false, true, 0, 0.99,
              "share of the target spread over all classes"},
    OptionRow{"metric", "training", train, choice, "accuracy|macro-recall|macro-f1|auc|loss", "accuracy", false, true,
              0, 0, "what decides the best weights, on --eval-split"},
    OptionRow{"device", "training", train | evaluate, choice, "cpu|cuda", "cpu", false, true, 0, 0,
              "where the network is computed; cuda: a GPU for each rank"},
    OptionRow{"max-steps", "training", train, integer, "N", "0", false, false, 0, 1e15,
              "end after so many steps, even within an epoch; 0: --epochs decides"},
    OptionRow{"seed", "training", preprocess | train, integer, "N", "0", false, true, 0, whole, "of every random draw"},
    OptionRow{"log-every", "training", train, integer, "STEPS", "10", false, false, 1, 1e9,
              "steps between two lines of log.jsonl within an epoch"},
    OptionRow{"checkpoint-every", "checkpoints", train, text, "N|Nsteps|Nminutes|never", "1", false, true, 0, 0,
              "keep all that --resume needs every N epochs, steps or minutes, at a stop and at the end"},
    OptionRow{"keep-checkpoints", "checkpoints", train, integer, "N", "2", false, false, 1, 1e6,
              "how many of them stay, the newest"},
    OptionRow{"bucket-mib", "communication", train, real, "MIB", "25", false, false, 0.001, 4096,
              "size of a gradient bucket"},
    OptionRow{"timeout", "communication", train | evaluate, real, "SECONDS", "600", false, false, 1, 1e6,
              "an exchange between ranks that takes longer ends the run, naming it and who waited"},
    OptionRow{"resume", "", train, path, "RUN", "", false, true, 0, 0,
              "go on with this run from its newest checkpoint, on any number of ranks"},
    OptionRow{"dry-run", "", train, flag, "", "false", false, true, 0, 0,
              "make a few steps without writing anything; say what the run will take in time and memory"},
    OptionRow{"print-model", "", train, flag, "", "false", false, true, 0, 0,
              "show layers, shapes, parameters and FLOPs, then stop"},
};

}  // namespace

std::span<const CommandRow> command_table() { return commands; }
std::span<const OptionRow> option_table() { return options; }

const CommandRow& row_of(Command command) {
  for (const CommandRow& row : commands) {
    if (row.command == command) return row;
  }
  throw defect("a command without a row", "option_table.cpp");
}

}  // namespace lockstep

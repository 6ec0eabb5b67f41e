#include "lockstep/config/option_table.hpp"

#include <array>

#include "lockstep/config/architectures.hpp"
#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

constexpr unsigned preprocess = static_cast<unsigned>(Command::preprocess);
constexpr unsigned train = static_cast<unsigned>(Command::train);
constexpr unsigned evaluate = static_cast<unsigned>(Command::evaluate);
constexpr unsigned bench_loader = static_cast<unsigned>(Command::bench_loader);
constexpr unsigned weights_list = static_cast<unsigned>(Command::weights_list);
constexpr unsigned weights_convert = static_cast<unsigned>(Command::weights_convert);
constexpr unsigned weights_compare = static_cast<unsigned>(Command::weights_compare);
constexpr unsigned freeze_study = static_cast<unsigned>(Command::freeze_study);
constexpr unsigned predict = static_cast<unsigned>(Command::predict);
constexpr unsigned loading = train | bench_loader;  // what batches hold and how they are prepared
constexpr double whole = 9007199254740992.0;        // 2^53: integers that survive a JSON reader
constexpr double tiny = 1e-300;                     // "greater than zero"
using enum OptionType;

/// "custom|resnet18|…": the names of all networks.
constexpr auto join_models() {
  constexpr std::size_t size = [] {
    std::size_t characters = architecture_table.size() - 1;
    for (const Architecture& row : architecture_table) characters += row.name.size();
    return characters;
  }();
  std::array<char, size> text{};
  std::size_t at = 0;
  for (const Architecture& row : architecture_table) {
    if (at > 0) text[at++] = '|';
    for (const char letter : row.name) text[at++] = letter;
  }
  return text;
}
constexpr auto models = join_models();

constexpr std::array commands{
    CommandRow{Command::preprocess, "preprocess",
               "images → a data set (HDF5 shards + manifest); under mpirun: in parallel",
               "lockstep preprocess --source class-folders|csv|idx|… --input PATH --output DIR [options]",
               "lockstep preprocess --source generated --output datasets/example --side 32 --images 1200"},
    CommandRow{Command::train, "train", "a data set → a run (mpirun -np N lockstep train …)",
               "lockstep train --data DIR --run DIR [--config FILE] [options]",
               "lockstep train --data datasets/quickstart --run runs/example --filters 16,32 --kernels 3 --epochs 2"},
    CommandRow{Command::evaluate, "evaluate", "a run (or several together) × a split → metrics; predictions × labels",
               "lockstep evaluate --run DIR [--run DIR …] | --predictions FILE --labels FILE [options]",
               "lockstep evaluate --run runs/example --split test"},
    CommandRow{Command::freeze_study, "freeze-study",
               "shares of the network frozen, several seeds → a table and a plot of what it brings and costs",
               "lockstep freeze-study --output DIR --fractions 0,0.5,1 --seeds 1,2,3 [options of lockstep train]",
               "lockstep freeze-study --data datasets/quickstart --output runs/study --fractions 0,0.5 --seeds 1 "
               "--filters 16,32 --kernels 3 --epochs 2 --allow-random-frozen",
               0, "", train},
    CommandRow{
        Command::predict, "predict", "a run, several together, or a weight file × images → CSV",
        "lockstep predict --run DIR [--run DIR …] | --weights FILE --images PATH --output FILE [options]",
        "lockstep predict --run runs/example --images datasets/quickstart --split test --output predictions.csv"},
    CommandRow{Command::bench_loader, "bench loader",
               "a data set → how fast batches come, what limits them, what to change",
               "lockstep bench loader --data DIR [--config FILE] [options]",
               "lockstep bench loader --data datasets/quickstart --augment --seconds 3", train},
    CommandRow{Command::weights_list, "weights list", "a weight file → names, shapes and types of its tensors",
               "lockstep weights list FILE [options]", "lockstep weights list runs/example/weights/best.safetensors", 0,
               "file"},
    CommandRow{Command::weights_convert, "weights convert",
               "a weight file of any format → safetensors, or a .pth that torch.load reads",
               "lockstep weights convert INPUT OUTPUT [options]",
               "lockstep weights convert runs/example/weights/best.safetensors example.pth", 0, "input,output"},
    CommandRow{Command::weights_compare, "weights compare",
               "two weight files of any formats → what differs; exit code 1 if anything does",
               "lockstep weights compare FIRST SECOND [options]",
               "lockstep weights compare runs/example/weights/best.safetensors runs/example/weights/last.safetensors",
               0, "first,second"},
};

// name, group, commands, type, value, default, required, common, low, high, help
constexpr std::array options{
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

    OptionRow{"output", "study", freeze_study, path, "DIR", "", true, true, 0, 0,
              "folder of the study: its runs, study.md, study.json, study.svg; begun there already, it goes on"},
    OptionRow{"fractions", "study", freeze_study, real_list, "SHARE,…", "0,0.3,0.5,0.8,1", false, true, 0, 1,
              "shares of the network to freeze, from its input on, as --freeze-fraction takes them"},
    OptionRow{"seeds", "study", freeze_study, integer_list, "N,…", "1,2,3", false, true, 0, whole,
              "one run for each share and seed"},

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
    OptionRow{"predictions", "compare", evaluate, path, "FILE", "", false, true, 0, 0,
              "instead of --run: compare the CSV that predict has written with --labels"},
    OptionRow{"labels", "compare", evaluate, path, "FILE", "", false, true, 0, 0,
              "CSV file with the right labels, matched by id, with or without the images' extension"},
    OptionRow{"csv-name", "compare", evaluate, text, "COLUMN", "", false, false, 0, 0,
              "column of the ids in --labels; else found by its name"},
    OptionRow{"csv-label", "compare", evaluate, text, "COLUMN", "", false, false, 0, 0,
              "column of the labels in --labels; else found by its name"},
    OptionRow{"output", "compare", evaluate, path, "FILE", "", false, true, 0, 0,
              "write the metrics there as JSON (several runs, or --predictions; of one run they are in its folder)"},
    OptionRow{"ensemble", "ensemble", evaluate | predict, choice, "average|vote|best|greedy|parameters", "average",
              false, true, 0, 0,
              "several runs: mean probabilities, votes, the best member, greedy selection, or mean weights"},
    OptionRow{"member-weights", "ensemble", evaluate | predict, real_list, "W,W,…", "", false, true, 0, 1e6,
              "of the runs in their order, for average, vote and parameters; else all count alike"},
    OptionRow{"choose-on", "ensemble", evaluate | predict, text, "SPLIT|none", "validation", false, false, 0, 0,
              "split of the runs' data set on which members are compared, and chosen by best and greedy"},

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
    OptionRow{"batch-norm", "model", train, flag, "", "true", false, true, 0, 0,
              "batch norm after conv and dense layers"},
    OptionRow{"batch-norm-stats", "model", train, text, "global|rank|group:N", "global", false, true, 0, 0,
              "statistics over the global batch, each rank's part, or groups of N"},
    OptionRow{"dropout-conv", "model", train, real_list, "P", "0", false, true, 0, 0.95,
              "dropout after conv layers; one, or one per layer"},
    OptionRow{"dropout-dense", "model", train, real_list, "P", "0", false, false, 0, 0.95,
              "dropout after dense layers; one, or one per layer"},
    OptionRow{"dense", "model", train, integer_list, "N,N,…", "256", false, true, 1, 1048576,
              "widths of the dense layers before the output"},

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
    OptionRow{"checkpoint-every", "checkpoints", train, text, "N|Nsteps|Nminutes|never", "1", false, true, 0, 0,
              "keep all that --resume needs every N epochs, steps or minutes, at a stop and at the end"},
    OptionRow{"keep-checkpoints", "checkpoints", train, integer, "N", "2", false, false, 1, 1e6,
              "how many of them stay, the newest"},
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
    OptionRow{"dry-run", "", train, flag, "", "false", false, true, 0, 0,
              "make a few steps without writing anything; say what the run will take in time and memory"},
    OptionRow{"seconds", "", bench_loader, real, "S", "10", false, true, 0.1, 86400,
              "how long to measure, after the first batches have come"},
    OptionRow{"json", "", bench_loader, path, "FILE", "", false, true, 0, 0, "write the figures there too"},
    OptionRow{"print-model", "", train, flag, "", "false", false, true, 0, 0,
              "show layers, shapes, parameters and FLOPs, then stop"},
};

}  // namespace

std::span<const CommandRow> command_table() { return commands; }
std::span<const OptionRow> option_table() { return options; }

bool is_own(Command command, const OptionRow& row) { return (row.commands & static_cast<unsigned>(command)) != 0; }
bool takes(Command command, const OptionRow& row) {
  return is_own(command, row) || (row.commands & row_of(command).extends) != 0;
}

const CommandRow& row_of(Command command) {
  for (const CommandRow& row : commands) {
    if (row.command == command) return row;
  }
  throw defect("a command without a row", "option_table.cpp");
}

}  // namespace lockstep

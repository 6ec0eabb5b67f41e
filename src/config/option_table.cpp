#include "lockstep/config/option_table.hpp"

#include <algorithm>
#include <array>

#include "config/option_rows/data.hpp"
#include "config/option_rows/judging.hpp"
#include "config/option_rows/network.hpp"
#include "config/option_rows/packing.hpp"
#include "config/option_rows/running.hpp"
#include "config/option_rows/study.hpp"
#include "config/option_rows/training.hpp"
#include "config/option_rows/weights.hpp"
#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::array commands{
    CommandRow{Command::preprocess, "preprocess",
               "images → a data set (HDF5 shards + manifest); under mpirun: in parallel",
               "lockstep preprocess --source class-folders|csv|idx|… --input PATH --output DIR [options]",
               "lockstep preprocess --source generated --output datasets/example --side 32 --images 1200"},
    CommandRow{Command::train, "train", "a data set → a run (mpirun -np N lockstep train …)",
               "lockstep train --data DIR --run DIR [--config FILE] [options]",
               "lockstep train --data datasets/quickstart --run runs/example --filters 16,32 --kernels 3 --epochs 2"},
    CommandRow{Command::evaluate, "evaluate", "a run (or several together) × a split → metrics; predictions × labels",
               "lockstep evaluate --run DIR [--run DIR …] | --predictions FILE [--labels FILE] [options]",
               "lockstep evaluate --run runs/example --split test"},
    CommandRow{Command::freeze_study, "freeze-study",
               "shares of the network frozen, several seeds → a table and a plot of what it brings and costs",
               "lockstep freeze-study --output DIR --fractions 0,0.5,1 --seeds 1,2,3 [options of lockstep train]",
               "lockstep freeze-study --data datasets/quickstart --output runs/study --fractions 0,0.5 --seeds 1 "
               "--filters 16,32 --kernels 3 --epochs 2 --allow-random-frozen",
               0, "", option_rows::train},
    CommandRow{
        Command::predict, "predict", "a run, several together, or a weight file × images → CSV",
        "lockstep predict --run DIR [--run DIR …] | --weights FILE --images PATH --output FILE [options]",
        "lockstep predict --run runs/example --images datasets/quickstart --split test --output predictions.csv"},
    CommandRow{Command::runs, "runs", "a folder of runs → who refined whom, what was changed and what it brought",
               "lockstep runs DIR [options]", "lockstep runs runs", 0, "folder"},
    CommandRow{Command::bench_loader, "bench loader",
               "a data set → how fast batches come, what limits them, what to change",
               "lockstep bench loader --data DIR [--config FILE] [options]",
               "lockstep bench loader --data datasets/quickstart --augment --seconds 3", option_rows::train},
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

/// The rows of all files, one after the other.
template <std::size_t... sizes>
constexpr auto join(const std::array<OptionRow, sizes>&... parts) {
  std::array<OptionRow, (sizes + ...)> rows{};
  auto* at = rows.data();
  ((at = std::copy(parts.begin(), parts.end(), at)), ...);
  return rows;
}

/// Help, config files and the README's tables keep this order.
constexpr auto options = join(option_rows::packing, option_rows::study, option_rows::weights, option_rows::judging,
                              option_rows::data, option_rows::network, option_rows::training, option_rows::running);

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

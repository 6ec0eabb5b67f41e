// Checkpoints of a run: folders that are either whole or not looked at.
//
//   <root>/step-00001234/model.safetensors       parameters and buffers; usable as weights on its own
//                        optimiser.safetensors   moments of what is trained in this epoch, under "<kind>.<parameter>",
//                                                and the mean of the weights, if one is kept, under "average.<name>"
//                        per_rank.safetensors    [ranks, …] buffers that differ between ranks; only where there are any
//                        state.json              train_state.hpp
//                        DONE                    sizes and XXH64 of the files above; written last
//
// Written under a temporary name, every file and the folder flushed to disk, renamed, then DONE: killed at any moment,
// the checkpoint before is still there and still the newest. One of the same step, replaced since it was judged, is
// <root>/step-00001234.replaced meanwhile. Rank 0 calls these; a rank that must not go on while rank
// 0 writes waits for it by itself. Tensors on a device are copied to the host one at a time. Memory: reading holds all
// tensors of one checkpoint. Errors name the file and the fix.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lockstep/checkpoint/train_state.hpp"
#include "lockstep/gradients/gradient_buckets.hpp"
#include "lockstep/weights/weight_file.hpp"

namespace lockstep {

/// Views of what is to be kept.
struct CheckpointTensors {
  NamedTensors model, optimiser, per_rank;
};

/// Writes <root>/step-N (N: state.steps), then removes all but the `keep` (>= 1) newest whole ones and what killed runs
/// left. Finished ones with more steps are damaged, or the run would have gone on from them: they are set aside as
/// damaged-step-M. Returns its folder.
std::filesystem::path write_checkpoint(const std::filesystem::path& root, const TrainState& state,
                                       const CheckpointTensors& tensors, std::int64_t keep);

struct Checkpoint {
  std::filesystem::path folder;
  TrainState state;
  WeightFile model, optimiser, per_rank;

  std::filesystem::path model_file() const { return folder / "model.safetensors"; }
  std::filesystem::path optimiser_file() const { return folder / "optimiser.safetensors"; }
};

/// Reads and verifies one checkpoint. Errors: it is unfinished (no DONE); a file is missing, cut short or damaged.
Checkpoint read_checkpoint(const std::filesystem::path& folder);

struct FoundCheckpoint {
  std::optional<Checkpoint> newest;      ///< none: there are no checkpoints, or only unfinished ones
  std::vector<std::string> passed_over;  ///< newer ones that could not be used, each with its reason
};

/// The newest checkpoint below `root` that is whole. Errors: there are finished ones, but all are damaged.
FoundCheckpoint newest_checkpoint(const std::filesystem::path& root);

}  // namespace lockstep

// The images that predict is to name, as samples: a split of a packed data set, or what packing makes of a folder or a
// CSV file for the time of the command.
//
// Folders and tables are packed by lockstep-preprocess, started by rank 0 alone, beside the output, into a folder that
// goes when this object does; once for each way in which members had their images packed (side, channels, --resize), so
// that pixels are those of training. The table of names stays on rank 0: 0.2 kB and its path for each image of the data
// set. Every rank makes one together. Internal to src/commands. Errors: nothing that holds images; those of packing;
// ids that two images share.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "commands/shown_images.hpp"
#include "lockstep/comm/world.hpp"
#include "lockstep/core/log.hpp"
#include "lockstep/core/process_folder.hpp"
#include "lockstep/data/image_table.hpp"

namespace lockstep {

class ImagesToPredict {
 public:
  /// `options`: of predict. `asked`: the networks that see them.
  ImagesToPredict(const std::vector<Member>& asked, const Options& options, World& world, const Log& log);

  /// For `asked`, in its order.
  const ShownImages& shown() const { return shown_; }
  std::int64_t samples() const { return images_.front()->split.samples(); }

  // On rank 0:
  /// What --id calls an image.
  std::string id(std::int64_t sample) const;
  /// Images that belong here, but were refused; rising.
  const std::vector<std::int64_t>& unread() const { return unread_; }
  const ImageRow& row(std::int64_t sample) const { return rows_[static_cast<std::size_t>(sample)]; }

 private:
  enum class Naming { stem, file, path, number };

  static Naming naming_of(std::string_view text);
  void open_set(const std::vector<Member>& asked, World& world);
  void pack(const std::vector<Member>& asked, World& world, const Log& log);
  /// `kind`, `input`: --source and --input of the packing.
  std::shared_ptr<const OpenSplit> packed(const Member& member, const std::string& kind, const std::string& input,
                                          std::size_t number, World& world, const Log& log);
  void read_table(const Log& log);
  void require_different_ids() const;
  std::string_view name_of(const ImageRow& row) const;

  const Options& options_;
  Naming naming_;
  std::unique_ptr<ProcessFolder> packings_;               // on rank 0; null: a packed data set was named
  std::vector<std::shared_ptr<const OpenSplit>> images_;  // [packing]
  ShownImages shown_;
  std::vector<ImageRow> rows_;  // [id]
  std::vector<std::int64_t> unread_;
};

}  // namespace lockstep

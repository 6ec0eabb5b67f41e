// CIFAR-10 and CIFAR-100 in their authors' binary version, in the input folder or in the folder they unpack to:
//
//   cifar-10-batches-bin/  data_batch_1.bin … data_batch_5.bin   the split "train"
//                          test_batch.bin                        the split "test"
//                          batches.meta.txt                      the ten names, one a line
//   cifar-100-binary/      train.bin, test.bin, fine_label_names.txt
//
// Format (www.cs.toronto.edu/~kriz/cifar.html): records without a header. One label byte (CIFAR-100: two, the coarse
// class and then the fine one, which is taken), then 3072 pixel bytes: 32 rows of 32 red values, then green, then blue.
// The official files hold 10,000 records each, those of CIFAR-100 50,000 and 10,000 (same page). A file cut at the end
// of a record shows by nothing but its count: another one is a note, or an error if strict. Without the file of names
// the classes are called by their numbers, and a note says so.
//
// Errors: missing files (listed), a file that ends inside a record, an empty file, a label byte out of range (with its
// record, from 0), names that are too few or double. Records are read by pread when they are asked for; list() reads
// all once for the labels. Memory: one file at a time in list(), else nothing.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "lockstep/core/files.hpp"
#include "preprocess/source.hpp"

namespace lockstep::preprocess {

enum class CifarKind { cifar10, cifar100 };

/// What differs between the two sets.
struct CifarFormat {
  std::string folder, python_folder, archive, names;
  std::vector<std::string> training;  ///< files
  std::string test;
  std::vector<int> classes;  ///< [label byte of a record]; the last one is the label
  /// Of each file, as published.
  std::int64_t training_records, test_records;

  std::int64_t label_bytes() const { return static_cast<std::int64_t>(classes.size()); }
};

class CifarSource : public Source {
 public:
  /// Opens the files. strict: list() refuses files that do not have their official number of records.
  CifarSource(const std::filesystem::path& input, CifarKind kind, bool strict = false);

  Listing list() override;
  Picture picture(std::int64_t id, const Candidate& candidate, const PictureRequest& request) const override;
  std::filesystem::path file_of(std::int64_t id, const Candidate& candidate) const override;
  SourceBytes bytes_of(std::int64_t id, const Candidate& candidate, BytesWanted wanted) const override;

 private:
  struct Batch {
    std::string name;
    SharedText split;
    RandomAccessFile file;
    std::int64_t records;
  };
  /// The file of image `id`, which becomes its number within.
  const Batch& batch_of(std::int64_t& id) const;
  std::vector<std::uint8_t> pixels_of(std::int64_t id) const;
  void open(const std::string& name, const std::string& split);
  void add_records(const Batch& batch, Listing& listing) const;
  std::vector<std::string> class_names(Listing& listing) const;
  void check_count(const Batch& batch, Listing& listing) const;

  CifarFormat format_;
  bool strict_;
  std::filesystem::path folder_;
  std::vector<Batch> batches_;  // in the order of ids
};

}  // namespace lockstep::preprocess

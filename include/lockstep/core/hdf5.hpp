// The little of HDF5 that our formats use, as RAII: every C call checked, every failure an Error in HDF5's own words.
//
// Files are made without time stamps and with fixed format bounds and alignment, so equal input gives equal bytes. No
// file is ever locked (locks fail on Lustre, NFS and GPFS): files appear by a rename when they are whole. HDF5's own
// printing of errors is off. A File is used by one thread at a time; different Files by different threads, which the
// library serialises by a lock of its own. The header does without HDF5's headers, so only hdf5.cpp needs them.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::hdf5 {

/// Types of elements, stored little-endian.
enum class Element { uint8, int32, int64, float32, float64, other };

/// "uint8", "int32" …, for messages.
std::string name_of(Element element);

/// What a data set of a file is.
struct Layout {
  Element element = Element::other;
  std::vector<std::int64_t> shape;
  /// Byte offset of the elements in the file; none unless contiguous, uncompressed and allocated.
  std::optional<std::uint64_t> offset;
};

/// An HDF5 identifier that is closed once. Not for use outside File.
class Handle {
 public:
  using Closer = int (*)(std::int64_t);
  Handle() = default;
  Handle(std::int64_t id, Closer closer) : id_(id), closer_(closer) {}
  ~Handle() { close(); }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), closer_(other.closer_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(closer_, other.closer_);
    return *this;
  }

  std::int64_t id() const { return id_; }
  /// Negative if HDF5 could not close it, which for a file means that its last bytes were not written.
  int close() { return id_ < 0 ? 0 : closer_(std::exchange(id_, -1)); }

 private:
  std::int64_t id_ = -1;
  Closer closer_ = nullptr;
};

class File {
 public:
  /// A new file, replacing what was there. `name`: what errors call it, if that is not its path.
  static File create(const std::filesystem::path& path, const std::string& name = "");
  /// An existing file, read-only. Errors: missing, not HDF5, cut short.
  static File open(const std::filesystem::path& path);

  /// Makes a contiguous data set whose space is allocated but not written, and returns the byte offset of its elements:
  /// the caller fills them by its own means after close(). The last axis varies fastest.
  std::uint64_t reserve(const std::string& name, Element element, const std::vector<std::int64_t>& shape);
  void write(const std::string& name, std::span<const std::uint8_t> values);
  void write(const std::string& name, std::span<const std::int32_t> values);
  void write(const std::string& name, std::span<const std::int64_t> values);
  /// Strings of any length, ended by zeros, marked as UTF-8.
  void write(const std::string& name, std::span<const char* const> texts);
  /// Tables: rows of `columns` numbers each, stored without gaps.
  void write_table(const std::string& name, std::span<const float> values, std::int64_t columns);
  void write_table(const std::string& name, std::span<const double> values, std::int64_t columns);
  /// An attribute of the root group.
  void write_attribute(const std::string& name, std::int32_t value);
  /// A group below the root, whose data sets are called "<group>/<name>".
  void make_group(const std::string& name);
  /// One text, marked as UTF-8, as an attribute of a group.
  void write_text_attribute(const std::string& group, const std::string& name, const std::string& text);

  bool has(const std::string& name) const;
  /// Errors: no such data set.
  Layout layout(const std::string& name) const;
  /// One-dimensional data sets. Errors: missing, another type or rank, more elements than the file has bytes for.
  std::vector<std::uint8_t> read_uint8(const std::string& name) const;
  std::vector<std::int32_t> read_int32(const std::string& name) const;
  std::vector<std::int64_t> read_int64(const std::string& name) const;
  std::vector<float> read_float32(const std::string& name) const;
  /// A table of float32 or float64, row after row, as doubles. Errors: another type or shape, chunked or compressed,
  /// more numbers than the file has bytes for.
  std::vector<double> read_table(const std::string& name, std::size_t rows, std::size_t columns) const;
  /// How many strings a data set of them has.
  std::size_t text_count(const std::string& name) const;
  /// Tells `visit` each string's number and characters, in their order; a string is valid for that call.
  void read_texts(const std::string& name, const std::function<void(std::size_t, std::string_view)>& visit) const;
  std::int32_t read_attribute(const std::string& name) const;

  /// The texts of an attribute of a group or data set ("/": the root); none where it has no such attribute.
  /// Errors: no such object, an attribute of another type or damaged.
  std::optional<std::vector<std::string>> read_text_attribute(const std::string& object, const std::string& name) const;

  /// Writes what HDF5 still holds. Without it the destructor closes and failures go unseen.
  void close();

 private:
  File(std::string where, std::int64_t id);
  template <typename Number>
  void write_numbers(const std::string& name, Element element, std::span<const Number> values,
                     std::int64_t columns = 0);
  template <typename Number>
  std::vector<Number> read_numbers(const std::string& name, Element element) const;

  std::string where_;
  Handle handle_;
};

}  // namespace lockstep::hdf5

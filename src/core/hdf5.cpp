#include "lockstep/core/hdf5.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <hdf5.h>

#include <bit>
#include <cstdlib>
#include <string_view>
#include <type_traits>

#include "core/hdf5_attributes.hpp"
#include "core/hdf5_texts.hpp"
#include "lockstep/core/error.hpp"

namespace lockstep::hdf5 {
namespace {

static_assert(std::is_same_v<hid_t, std::int64_t> && std::is_same_v<herr_t, int>, "Handle repeats HDF5's types");
static_assert(std::endian::native == std::endian::little,
              "blocks are written and read by position, without conversion");

constexpr hsize_t block_alignment = 4096;  // a page: image blocks can be mapped

/// Every way in from outside calls this: the library keeps its setting for printing per thread, and must be told before
/// its first use not to clean up at exit. Files are closed by their owners here, and that cleaning up crashes where a
/// file could not be closed because the disk was full (1.10.8).
void silence_library() {
  H5dont_atexit();  // fails, harmlessly, after the first time
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

herr_t keep_description(unsigned, const H5E_error2_t* entry, void* text) {
  if (entry->desc != nullptr) *static_cast<std::string*>(text) = entry->desc;
  return 0;
}

/// The innermost entry of HDF5's error stack: the outer ones only repeat "unable to".
std::string library_reason() {
  std::string reason = "no reason given by HDF5";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_description, &reason);
  std::string outermost = reason;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_description, &outermost);
  return reason == outermost ? reason : fmt::format("{} ({})", outermost, reason);
}

/// The system's error number that HDF5's description quotes ("…, errno = 28, …"); 0 if it quotes none.
int quoted_errno(const std::string& reason) {
  constexpr std::string_view label = "errno = ";
  const std::size_t at = reason.find(label);
  return at == std::string::npos ? 0 : std::atoi(reason.c_str() + at + label.size());
}

[[noreturn]] void fail(const std::string& what, const std::string& where) {
  const std::string reason = library_reason();
  if (const int code = quoted_errno(reason); code != 0) throw system_error(what, where, code);
  throw Error(what + ": " + reason, where, "the file is damaged or not what its name says: copy or pack it again");
}

/// The one place that looks at return values: negative is failure in all of HDF5.
template <typename Result>
Result check(Result result, const char* what, const std::string& where) {
  if (result < 0) fail(what, where);
  return result;
}

Handle property_list(hid_t kind, const std::string& where) {
  return {check(H5Pcreate(kind), "cannot make HDF5 properties", where), H5Pclose};
}

Handle access_properties(const std::string& where) {
  silence_library();
  Handle access = property_list(H5P_FILE_ACCESS, where);
  check(H5Pset_file_locking(access.id(), false, true), "cannot switch HDF5's file locking off", where);
  check(H5Pset_libver_bounds(access.id(), H5F_LIBVER_V18, H5F_LIBVER_V18), "cannot fix HDF5's format", where);
  check(H5Pset_alignment(access.id(), block_alignment, block_alignment), "cannot set HDF5's alignment", where);
  return access;
}

/// Texts are metadata to HDF5, which would keep up to 32 MiB of those that are written already.
void keep_little_metadata(const Handle& access, const std::string& where) {
  constexpr std::size_t kept = std::size_t{1} << 20;
  H5AC_cache_config_t config{};
  config.version = H5AC__CURR_CACHE_CONFIG_VERSION;
  check(H5Pget_mdc_config(access.id(), &config), "cannot read HDF5's cache settings", where);
  config.set_initial_size = true;
  config.initial_size = config.min_size = config.max_size = kept;
  check(H5Pset_mdc_config(access.id(), &config), "cannot set HDF5's cache", where);
}

Handle timeless_properties(hid_t kind, const std::string& where) {
  Handle properties = property_list(kind, where);
  check(H5Pset_obj_track_times(properties.id(), false), "cannot switch HDF5's time stamps off", where);
  return properties;
}

hid_t create_file(const std::string& path, const Handle& access, const std::string& where) {
  const Handle properties = timeless_properties(H5P_FILE_CREATE, where);
  return check(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, properties.id(), access.id()), "cannot create", where);
}

hid_t stored_type(Element element) {
  switch (element) {
    case Element::uint8:
      return H5T_STD_U8LE;
    case Element::int32:
      return H5T_STD_I32LE;
    case Element::int64:
      return H5T_STD_I64LE;
    case Element::float32:
      return H5T_IEEE_F32LE;
    case Element::float64:
      return H5T_IEEE_F64LE;
    case Element::other:
      break;
  }
  throw defect("an element type that cannot be written", "hdf5");
}

Element element_of(hid_t type) {
  for (const Element element : {Element::uint8, Element::int32, Element::int64, Element::float32, Element::float64}) {
    if (H5Tequal(type, stored_type(element)) > 0) return element;
  }
  return Element::other;
}

Handle space_of(const std::vector<std::int64_t>& shape, const std::string& where) {
  const std::vector<hsize_t> sizes(shape.begin(), shape.end());
  return {
      check(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), "cannot describe a shape", where),
      H5Sclose};
}

Handle text_type(const std::string& where) {
  Handle type(check(H5Tcopy(H5T_C_S1), "cannot make HDF5's text type", where), H5Tclose);
  check(H5Tset_size(type.id(), H5T_VARIABLE), "cannot make HDF5's text type", where);
  check(H5Tset_cset(type.id(), H5T_CSET_UTF8), "cannot make HDF5's text type", where);
  return type;
}

Handle make_data_set(hid_t file, const std::string& name, hid_t type, const Handle& space, bool reserve,
                     const std::string& where) {
  const Handle properties = timeless_properties(H5P_DATASET_CREATE, where);
  if (reserve) {
    check(H5Pset_alloc_time(properties.id(), H5D_ALLOC_TIME_EARLY), "cannot reserve space", where);
    check(H5Pset_fill_time(properties.id(), H5D_FILL_TIME_NEVER), "cannot reserve space", where);
  }
  return {check(H5Dcreate2(file, name.c_str(), type, space.id(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
                "cannot make a data set", where),
          H5Dclose};
}

void write_all(const Handle& data, hid_t memory_type, const void* values, const std::string& where) {
  check(H5Dwrite(data.id(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), "cannot write", where);
}

Handle open_data_set(hid_t file, const std::string& name, const std::string& where) {
  silence_library();
  Handle data(H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose);
  if (data.id() < 0) throw Error("no data set /" + name, where, "not a file of this kind, or damaged: pack it again");
  return data;
}

std::vector<std::int64_t> shape_of(const Handle& data, const std::string& where) {
  const Handle space(check(H5Dget_space(data.id()), "cannot read a shape", where), H5Sclose);
  const int rank = check(H5Sget_simple_extent_ndims(space.id()), "cannot read a shape", where);
  std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
  check(H5Sget_simple_extent_dims(space.id(), sizes.data(), nullptr), "cannot read a shape", where);
  return {sizes.begin(), sizes.end()};
}

std::optional<std::uint64_t> block_offset(const Handle& data, const std::string& where) {
  const Handle properties(check(H5Dget_create_plist(data.id()), "cannot read a layout", where), H5Pclose);
  if (H5Pget_layout(properties.id()) != H5D_CONTIGUOUS || H5Pget_external_count(properties.id()) > 0)
    return std::nullopt;
  const haddr_t offset = H5Dget_offset(data.id());
  return offset == HADDR_UNDEF ? std::nullopt : std::optional<std::uint64_t>(offset);
}

/// Where an object's header begins in the file.
std::uint64_t header_address(const Handle& object, const std::string& where) {
#if H5_VERSION_GE(1, 12, 0)
  H5O_info2_t info{};
  haddr_t address = HADDR_UNDEF;
  check(H5Oget_info3(object.id(), &info, H5O_INFO_BASIC), "cannot find an object", where);
  check(H5VLnative_token_to_addr(object.id(), info.token, &address), "cannot find an object", where);
  return address;
#else
  H5O_info_t info{};
  check(H5Oget_info2(object.id(), &info, H5O_INFO_BASIC), "cannot find an object", where);
  return info.addr;
#endif
}

/// The length of a one-dimensional data set, checked against the bytes the file has, so that a damaged length does not
/// become an allocation. `element_bytes` in the file.
std::size_t checked_length(hid_t file, const Handle& data, std::size_t element_bytes, const std::string& where) {
  const auto shape = shape_of(data, where);
  hsize_t file_bytes = 0;
  check(H5Fget_filesize(file, &file_bytes), "cannot read the size", where);
  if (shape.size() != 1 || static_cast<hsize_t>(shape[0]) > file_bytes / element_bytes) {
    throw Error(fmt::format("a column of shape [{}], one axis that fits the file's {} bytes expected",
                            fmt::join(shape, ", "), file_bytes),
                where, "the file is damaged or of another kind: pack it again");
  }
  return static_cast<std::size_t>(shape[0]);
}

}  // namespace

std::string name_of(Element element) {
  switch (element) {
    case Element::uint8:
      return "uint8";
    case Element::int32:
      return "int32";
    case Element::int64:
      return "int64";
    case Element::float32:
      return "float32";
    case Element::float64:
      return "float64";
    case Element::other:
      break;
  }
  return "another type";
}

File::File(std::string where, std::int64_t id) : where_(std::move(where)), handle_(id, H5Fclose) {}

File File::create(const std::filesystem::path& path, const std::string& name) {
  const std::string where = name.empty() ? path.string() : name;
  const Handle access = access_properties(where);
  keep_little_metadata(access, where);
  return {where, create_file(path.string(), access, where)};
}

File File::open(const std::filesystem::path& path) {
  const std::string where = path.string();
  const Handle access = access_properties(where);
  // the bounds hold for reading too, and others write newer files
  check(H5Pset_libver_bounds(access.id(), H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST), "cannot allow all formats", where);
  return {where, check(H5Fopen(where.c_str(), H5F_ACC_RDONLY, access.id()), "cannot open as HDF5", where)};
}

std::uint64_t File::reserve(const std::string& name, Element element, const std::vector<std::int64_t>& shape) {
  silence_library();
  const Handle data =
      make_data_set(handle_.id(), name, stored_type(element), space_of(shape, where_), true, where_ + ":/" + name);
  const auto offset = block_offset(data, where_);
  if (!offset) fail("HDF5 did not allocate /" + name, where_);
  return *offset;
}

template <typename Number>
void File::write_numbers(const std::string& name, Element element, std::span<const Number> values,
                         std::int64_t columns) {
  silence_library();
  const std::string where = where_ + ":/" + name;
  std::vector<std::int64_t> shape{std::ssize(values)};
  if (columns > 0) shape = {std::ssize(values) / columns, columns};
  const Handle space = space_of(shape, where);
  const Handle data = make_data_set(handle_.id(), name, stored_type(element), space, false, where);
  if (!values.empty()) write_all(data, stored_type(element), values.data(), where);
}

void File::write(const std::string& name, std::span<const std::uint8_t> values) {
  write_numbers(name, Element::uint8, values);
}

void File::write(const std::string& name, std::span<const std::int32_t> values) {
  write_numbers(name, Element::int32, values);
}

void File::write(const std::string& name, std::span<const std::int64_t> values) {
  write_numbers(name, Element::int64, values);
}

void File::write_table(const std::string& name, std::span<const float> values, std::int64_t columns) {
  write_numbers(name, Element::float32, values, columns);
}

void File::write_table(const std::string& name, std::span<const double> values, std::int64_t columns) {
  write_numbers(name, Element::float64, values, columns);
}

void File::write(const std::string& name, std::span<const char* const> texts) {
  silence_library();
  const std::string where = where_ + ":/" + name;
  const Handle type = text_type(where);
  const Handle space = space_of({static_cast<std::int64_t>(texts.size())}, where);
  const Handle data = make_data_set(handle_.id(), name, type.id(), space, false, where);
  if (!texts.empty()) write_all(data, type.id(), texts.data(), where);
}

void File::write_attribute(const std::string& name, std::int32_t value) {
  silence_library();
  const Handle space(check(H5Screate(H5S_SCALAR), "cannot describe an attribute", where_), H5Sclose);
  const Handle attribute(
      check(H5Acreate2(handle_.id(), name.c_str(), H5T_STD_I32LE, space.id(), H5P_DEFAULT, H5P_DEFAULT),
            "cannot make an attribute", where_),
      H5Aclose);
  check(H5Awrite(attribute.id(), H5T_NATIVE_INT32, &value), "cannot write an attribute", where_);
}

void File::make_group(const std::string& name) {
  silence_library();
  const Handle properties = timeless_properties(H5P_GROUP_CREATE, where_);
  Handle group(check(H5Gcreate2(handle_.id(), name.c_str(), H5P_DEFAULT, properties.id(), H5P_DEFAULT),
                     "cannot make a group", where_ + ":/" + name),
               H5Gclose);
}

void File::write_text_attribute(const std::string& group, const std::string& name, const std::string& text) {
  silence_library();
  const std::string where = where_ + ":/" + group;
  const Handle opened(check(H5Gopen2(handle_.id(), group.c_str(), H5P_DEFAULT), "cannot open a group", where),
                      H5Gclose);
  const Handle type = text_type(where);
  const Handle space(check(H5Screate(H5S_SCALAR), "cannot describe an attribute", where), H5Sclose);
  const Handle attribute(check(H5Acreate2(opened.id(), name.c_str(), type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT),
                               "cannot make an attribute", where),
                         H5Aclose);
  const char* value = text.c_str();
  check(H5Awrite(attribute.id(), type.id(), &value), "cannot write an attribute", where);
}

bool File::has(const std::string& name) const {
  silence_library();
  return check(H5Lexists(handle_.id(), name.c_str(), H5P_DEFAULT), "cannot look for a data set", where_) > 0;
}

Layout File::layout(const std::string& name) const {
  const Handle data = open_data_set(handle_.id(), name, where_);
  const Handle type(check(H5Dget_type(data.id()), "cannot read a type", where_), H5Tclose);
  return {element_of(type.id()), shape_of(data, where_), block_offset(data, where_)};
}

template <typename Number>
std::vector<Number> File::read_numbers(const std::string& name, Element element) const {
  const std::string where = where_ + ":/" + name;
  const Element found = layout(name).element;
  if (found != element) {
    throw Error(fmt::format("elements are {}, {} expected", name_of(found), name_of(element)), where,
                "the file is damaged or of another kind: pack it again");
  }
  const Handle data = open_data_set(handle_.id(), name, where_);
  std::vector<Number> values(checked_length(handle_.id(), data, sizeof(Number), where));
  const herr_t status = H5Dread(data.id(), stored_type(element), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  check(status, "cannot read", where);
  return values;
}

std::vector<std::uint8_t> File::read_uint8(const std::string& name) const {
  return read_numbers<std::uint8_t>(name, Element::uint8);
}

std::vector<std::int32_t> File::read_int32(const std::string& name) const {
  return read_numbers<std::int32_t>(name, Element::int32);
}

std::vector<std::int64_t> File::read_int64(const std::string& name) const {
  return read_numbers<std::int64_t>(name, Element::int64);
}

std::vector<float> File::read_float32(const std::string& name) const {
  return read_numbers<float>(name, Element::float32);
}

std::vector<double> File::read_table(const std::string& name, std::size_t rows, std::size_t columns) const {
  const std::string where = where_ + ":/" + name;
  const Layout found = layout(name);
  const std::vector<std::int64_t> shape{static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)};
  const bool single = found.element == Element::float32;
  if (found.shape != shape || !found.offset || (!single && found.element != Element::float64)) {
    throw Error(fmt::format("{} of shape [{}]{}, float32 or float64 of shape [{}] in one piece expected",
                            name_of(found.element), fmt::join(found.shape, ", "),
                            found.offset ? "" : " in chunks or without content", fmt::join(shape, ", ")),
                where, "the file is damaged or of another kind: write it again");
  }
  const RandomAccessFile file(where_);
  const std::size_t width = single ? sizeof(float) : sizeof(double);
  if (rows > file.size() / width || columns > file.size() / width || rows * columns > file.size() / width)
    throw Error("a table larger than the file", where, "the file is damaged: write it again");
  if (!single) {
    std::vector<double> values(rows * columns);
    file.read(*found.offset, {reinterpret_cast<std::uint8_t*>(values.data()), values.size() * width});
    return values;
  }
  std::vector<float> values(rows * columns);
  file.read(*found.offset, {reinterpret_cast<std::uint8_t*>(values.data()), values.size() * width});
  return {values.begin(), values.end()};
}

std::size_t File::text_count(const std::string& name) const {
  const std::string where = where_ + ":/" + name;
  const Handle data = open_data_set(handle_.id(), name, where_);
  const Handle found(check(H5Dget_type(data.id()), "cannot read a type", where), H5Tclose);
  if (H5Tis_variable_str(found.id()) <= 0) {
    throw Error("elements are not strings", where, "the file is damaged or of another kind: pack it again");
  }
  return checked_length(handle_.id(), data, text_reference_bytes, where);
}

void File::read_texts(const std::string& name, const std::function<void(std::size_t, std::string_view)>& visit) const {
  const std::size_t count = text_count(name);
  if (count == 0) return;
  const std::string where = where_ + ":/" + name;
  const auto offset = block_offset(open_data_set(handle_.id(), name, where_), where);
  if (!offset) throw Error("chunked or compressed strings", where, "pack the data set again");
  read_texts_at(RandomAccessFile(where_), *offset, count, visit);
}

std::int32_t File::read_attribute(const std::string& name) const {
  silence_library();
  const Handle attribute(H5Aopen(handle_.id(), name.c_str(), H5P_DEFAULT), H5Aclose);
  if (attribute.id() < 0) throw Error("no attribute " + name, where_, "not a file of this kind: pack it again");
  const Handle type(check(H5Aget_type(attribute.id()), "cannot read an attribute", where_), H5Tclose);
  const Handle space(check(H5Aget_space(attribute.id()), "cannot read an attribute", where_), H5Sclose);
  if (H5Tget_class(type.id()) != H5T_INTEGER || H5Sget_simple_extent_npoints(space.id()) != 1) {
    throw Error("attribute " + name + " is not one integer", where_, "not a file of this kind: pack it again");
  }
  std::int32_t value = 0;
  check(H5Aread(attribute.id(), H5T_NATIVE_INT32, &value), "cannot read an attribute", where_);
  return value;
}

std::optional<std::vector<std::string>> File::read_text_attribute(const std::string& object,
                                                                  const std::string& name) const {
  silence_library();
  const Handle opened(H5Oopen(handle_.id(), object.c_str(), H5P_DEFAULT), H5Oclose);
  if (opened.id() < 0) throw Error("no " + object, where_, "not a file of this kind, or damaged: write it again");
  return hdf5::read_text_attribute(RandomAccessFile(where_), header_address(opened, where_), name);
}

void File::close() {
  silence_library();
  check(handle_.close(), "cannot finish writing", where_);
}

}  // namespace lockstep::hdf5

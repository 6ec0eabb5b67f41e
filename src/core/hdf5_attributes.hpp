// Attributes that hold strings, read from an HDF5 file without its library, for the reason that hdf5_texts.hpp gives.
//
// Source: HDF5 File Format Specification 3.0, IV.A.1 "Object Headers" (versions 1 and 2) and IV.A.2.m "The Attribute
// Message" (versions 1 to 3). Strings of fixed and of variable length; of attributes, those that lie in the header
// itself, where the library keeps up to eight. Thread-safe: pure function of the file. Memory: one header, the texts.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/core/files.hpp"

namespace lockstep::hdf5 {

/// The texts of attribute `name` of the object whose header lies at byte `header`; none where it has no such attribute.
/// An attribute without elements has no texts, whatever its type. Errors: other types, anything that does not fit.
std::optional<std::vector<std::string>> read_text_attribute(const RandomAccessFile& file, std::uint64_t header,
                                                            std::string_view name);

}  // namespace lockstep::hdf5

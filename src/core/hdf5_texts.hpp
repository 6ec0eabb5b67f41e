// Strings of variable length read from an HDF5 file without its library, whose reader of them trusts every number in
// the file: version 1.10.8 copies from beyond its memory where one is damaged (found by tests/fuzz).
//
// Source: HDF5 File Format Specification 3.0, III.E "Global Heap" and IV.B of variable-length data: an element is a
// length (4 bytes), the address of a heap collection (8) and the number of an object in it (4), little-endian.
// Thread-safe: pure function of the file. Memory: 16 bytes a text, and one collection at a time.
#pragma once
#include <cstdint>
#include <functional>
#include <string_view>

#include "lockstep/core/files.hpp"

namespace lockstep::hdf5 {

inline constexpr std::size_t text_reference_bytes = 16;

/// Tells `visit` the numbers and texts of `count` strings, whose references begin at byte `offset`, in their order; a
/// text is valid for that call. Errors: anything that does not fit the file.
void read_texts_at(const RandomAccessFile& file, std::uint64_t offset, std::size_t count,
                   const std::function<void(std::size_t, std::string_view)>& visit);

}  // namespace lockstep::hdf5

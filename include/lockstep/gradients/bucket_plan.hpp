// Which gradient lies where: parameters gathered into flat buckets that are summed over the ranks as wholes.
//
// A pure function of the parameters' names and sizes, so that all ranks compute the same plan; digest() proves it.
// Buckets are filled in reverse order of registration, about the order in which backward finishes gradients, and
// launched in that order. Offsets are in elements and aligned to 64 bytes. Values; no tensors, no ranks.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

struct ParameterSize {
  std::string name;
  std::int64_t numel = 0;
  std::int64_t element_bytes = 4;
};

struct BucketSizes {
  std::int64_t first_bytes = std::int64_t{1} << 20;  ///< the first launched: small, so that exchange starts early
  std::int64_t bytes = std::int64_t{25} << 20;       ///< the others: large enough to hide latency
};

/// Place of one parameter.
struct BucketSlot {
  std::size_t bucket = 0;
  std::int64_t offset = 0;  ///< in elements from the start of the bucket
  bool operator==(const BucketSlot&) const = default;
};

struct BucketShape {
  std::int64_t numel = 0;  ///< with the gaps of alignment
  std::int64_t element_bytes = 4;
  std::vector<std::size_t> parameters;  ///< positions in registration order, as they lie in the bucket
  std::int64_t bytes() const { return numel * element_bytes; }
};

struct BucketPlan {
  std::vector<BucketSlot> slots;     ///< [parameter], in registration order
  std::vector<BucketShape> buckets;  ///< [bucket], in launch order
  std::string digest;                ///< 16 hexadecimal digits over names, sizes and places
};

/// A bucket is closed before it would exceed its size, so only a parameter larger than that makes a larger one; sizes
/// of elements are never mixed. Errors: a bucket size below one byte, a negative or zero-sized element.
BucketPlan plan_buckets(std::span<const ParameterSize> parameters, const BucketSizes& sizes = {});

}  // namespace lockstep

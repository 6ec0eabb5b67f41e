#include "lockstep/gradients/bucket_plan.hpp"

#include "lockstep/core/digest.hpp"
#include "lockstep/core/error.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t slot_alignment = 64;  // bytes: a cache line, and the widest vector register

std::int64_t aligned(std::int64_t elements, std::int64_t element_bytes) {
  const std::int64_t step = std::max<std::int64_t>(1, slot_alignment / element_bytes);
  return (elements + step - 1) / step * step;
}

void check(std::span<const ParameterSize> parameters, const BucketSizes& sizes) {
  if (sizes.first_bytes < 1 || sizes.bytes < 1) {
    throw Error("a bucket of less than one byte", "bucket size", "choose at least 1; 25 MiB is usual");
  }
  for (const ParameterSize& parameter : parameters) {
    if (parameter.numel < 0 || parameter.element_bytes < 1) {
      throw defect("a parameter of negative size", parameter.name);
    }
  }
}

bool fits(const BucketShape& bucket, const ParameterSize& parameter, std::int64_t limit) {
  return bucket.element_bytes == parameter.element_bytes &&
         bucket.bytes() + parameter.numel * parameter.element_bytes <= limit;
}

std::string digest_of(const BucketPlan& plan, std::span<const ParameterSize> parameters) {
  Digest digest;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    digest.add(parameters[i].name).add(parameters[i].numel).add(parameters[i].element_bytes);
    digest.add(plan.slots[i].bucket).add(plan.slots[i].offset);
  }
  return digest.hex();
}

}  // namespace

BucketPlan plan_buckets(std::span<const ParameterSize> parameters, const BucketSizes& sizes) {
  check(parameters, sizes);
  BucketPlan plan;
  plan.slots.resize(parameters.size());
  for (std::size_t i = parameters.size(); i-- > 0;) {
    const ParameterSize& parameter = parameters[i];
    const std::int64_t limit = plan.buckets.size() <= 1 ? sizes.first_bytes : sizes.bytes;
    if (plan.buckets.empty() || !fits(plan.buckets.back(), parameter, limit)) {
      plan.buckets.push_back({.numel = 0, .element_bytes = parameter.element_bytes, .parameters = {}});
    }
    BucketShape& bucket = plan.buckets.back();
    plan.slots[i] = {.bucket = plan.buckets.size() - 1, .offset = bucket.numel};
    bucket.parameters.push_back(i);
    bucket.numel += aligned(parameter.numel, parameter.element_bytes);
  }
  plan.digest = digest_of(plan, parameters);
  return plan;
}

}  // namespace lockstep

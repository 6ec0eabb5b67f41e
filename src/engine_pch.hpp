// Precompiled for the files with LibTorch: what nearly all of them include anyway. Reason: <torch/nn/module.h> and
// <ATen/ATen.h> cost 10–14 s a file on the two-core machine these figures come from (2026-11-21).
#include <ATen/ATen.h>
#include <torch/nn/module.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

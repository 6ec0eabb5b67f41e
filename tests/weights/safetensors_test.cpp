#include "lockstep/weights/safetensors.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstring>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

using testing::TemporaryFolder;

WeightFile some_weights() {
  WeightFile weights;
  weights.tensors.emplace_back("conv.weight", at::rand({4, 3, 5, 5}).contiguous(at::MemoryFormat::ChannelsLast));
  weights.tensors.emplace_back("norm.count", at::full({}, 7, at::kLong));
  weights.tensors.emplace_back("half", at::rand({3, 2}).to(at::kHalf));
  weights.tensors.emplace_back("nothing", at::zeros({0, 4}));
  weights.metadata = {{"epoch", "3"}, {"quote", "\"ä\n"}};
  return weights;
}

std::string file_with(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

/// The error of reading a file of these bytes.
std::string fault(const std::string& bytes) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "w.safetensors", bytes);
  try {
    read_safetensors(folder / "w.safetensors");
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("w.safetensors"), std::string::npos);
    return error.what();
  }
  return "no error";
}

TEST(Safetensors, ReadsBackWhatItWroteRowMajorWithMetadata) {
  const TemporaryFolder folder;
  const WeightFile written = some_weights();
  write_safetensors(folder / "w", written);
  const WeightFile read = read_safetensors(folder / "w");
  ASSERT_EQ(read.tensors.size(), written.tensors.size());
  for (std::size_t i = 0; i < read.tensors.size(); ++i) {
    EXPECT_EQ(read.tensors[i].first, written.tensors[i].first);
    EXPECT_EQ(read.tensors[i].second.scalar_type(), written.tensors[i].second.scalar_type());
    EXPECT_TRUE(read.tensors[i].second.equal(written.tensors[i].second));
  }
  EXPECT_EQ(read.metadata, written.metadata);
}

TEST(Safetensors, CutShortAnywhereIsAnError) {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", some_weights());
  const std::string whole = read_file(folder / "w");
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{8}, std::size_t{50}, whole.size() / 2, whole.size() - 1}) {
    EXPECT_NE(fault(whole.substr(0, size)).find("not a whole safetensors file"), std::string::npos) << size;
  }
  EXPECT_NE(fault(whole + "x").find("not a whole"), std::string::npos);
}

TEST(Safetensors, LyingHeadersAreErrors) {
  const std::string four(4, '\0');
  EXPECT_NE(fault(file_with("[]", "")).find("not a JSON object"), std::string::npos);
  EXPECT_NE(fault(file_with("{", "")).find("not a JSON object"), std::string::npos);
  EXPECT_NE(fault(file_with(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", four))
                .find("8 bytes by its shape, 4"),
            std::string::npos);
  EXPECT_NE(fault(file_with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", four + four))
                .find("starts at byte 4"),
            std::string::npos);
  EXPECT_NE(
      fault(
          file_with(
              R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
              four))
          .find("starts at"),
      std::string::npos);
  EXPECT_NE(fault(file_with(R"({"a":{"dtype":"X9","shape":[1],"data_offsets":[0,4]}})", four)).find("unknown type X9"),
            std::string::npos);
  EXPECT_NE(fault(file_with(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", ""))
                .find("impossible shape"),
            std::string::npos);
  EXPECT_NE(fault(file_with(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", four)), "no error");
  EXPECT_NE(fault(file_with(R"({"a":7})", "")), "no error");
  std::string huge(8, '\xff');
  EXPECT_NE(fault(huge).find("a header of"), std::string::npos);
}

}  // namespace
}  // namespace lockstep

#include "lockstep/weights/find_weights.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "lockstep/core/error.hpp"
#include "lockstep/core/files.hpp"
#include "support/tiny_data_set.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

class FindWeights : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name :
         {"one/resnet50-0676ba61.pth", "one/vgg16-397923af.pth", "one/vgg16_bn-6c64b313.pth", "one/resnet50.txt",
          "two/inception_v3_google-0cc3c7bd.pth", "two/vgg19_weights_tf_dim_ordering_tf_kernels.h5", "two/twice-1.pth",
          "one/twice-2.safetensors", "two/plain.safetensors"}) {
      make_folder((folder_ / name).parent_path());
      write_file_atomically(folder_ / name, "x");
    }
    folders_ = {folder_ / "one", folder_ / "absent", folder_ / "two"};
  }

  std::string fault(const std::string& said) const {
    try {
      return "found " + find_weights(said, folders_).string();
    } catch (const Error& error) {
      return error.what();
    }
  }

  testing::TemporaryFolder folder_;
  std::vector<fs::path> folders_;
};

TEST_F(FindWeights, NamesFindTheFilesOfTorchvisionAndKeras) {
  EXPECT_EQ(find_weights("resnet50", folders_), folder_ / "one/resnet50-0676ba61.pth");
  EXPECT_EQ(find_weights("vgg16", folders_), folder_ / "one/vgg16-397923af.pth");
  EXPECT_EQ(find_weights("vgg16_bn", folders_), folder_ / "one/vgg16_bn-6c64b313.pth");
  EXPECT_EQ(find_weights("inception_v3", folders_), folder_ / "two/inception_v3_google-0cc3c7bd.pth");
  EXPECT_EQ(find_weights("vgg19", folders_), folder_ / "two/vgg19_weights_tf_dim_ordering_tf_kernels.h5");
  EXPECT_EQ(find_weights("plain", folders_), folder_ / "two/plain.safetensors");
  EXPECT_EQ(find_weights("resnet50-0676ba61.pth", folders_), folder_ / "one/resnet50-0676ba61.pth");
}

TEST_F(FindWeights, AFileIsTakenAsItIs) {
  const fs::path file = folder_ / "one/resnet50.txt";
  EXPECT_EQ(find_weights(file.string(), {}), file);
}

TEST_F(FindWeights, NoneSaysWhereItLookedAndSeveralAreListed) {
  const std::string none = fault("resnet18");
  for (const fs::path& folder : folders_) EXPECT_NE(none.find(folder.string()), std::string::npos) << none;
  const std::string several = fault("twice");
  EXPECT_NE(several.find("twice-1.pth"), std::string::npos) << several;
  EXPECT_NE(several.find("twice-2.safetensors"), std::string::npos) << several;
  EXPECT_NE(fault((folder_ / "one/none.pth").string()).find("there is no such file"), std::string::npos);
  EXPECT_NE(fault("resnet5").find("no weights 'resnet5'"), std::string::npos);
}

TEST(WeightFolders, ComeFromTheEnvironmentInOrder) {
  ::setenv("LOCKSTEP_WEIGHTS", "/one::/two", 1);
  ::setenv("TORCH_HOME", "/torch", 1);
  EXPECT_EQ(weight_folders(), (std::vector<fs::path>{"/one", "/two", "/torch/hub/checkpoints"}));
  ::unsetenv("TORCH_HOME");
  ::setenv("XDG_CACHE_HOME", "/cache", 1);
  EXPECT_EQ(weight_folders().back(), "/cache/torch/hub/checkpoints");
  ::unsetenv("XDG_CACHE_HOME");
  ::setenv("HOME", "/somebody", 1);
  EXPECT_EQ(weight_folders().back(), "/somebody/.cache/torch/hub/checkpoints");
  ::unsetenv("LOCKSTEP_WEIGHTS");
  EXPECT_EQ(weight_folders().size(), 1u);
}

}  // namespace
}  // namespace lockstep

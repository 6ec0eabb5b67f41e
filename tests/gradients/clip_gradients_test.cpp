// Clipping beside torch's clip_grad_norm_, and the same bits for any number of threads.
#include "lockstep/gradients/clip_gradients.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/nn/utils/clip_grad.h>

#include <cmath>
#include <limits>

#include "gradients/small_network.hpp"
#include "lockstep/comm/serial.hpp"

namespace lockstep::testing {
namespace {

class Clipping : public ::testing::Test {
 protected:
  Clipping() : communicator_(make_serial_communicator()), buckets_(*communicator_, network_.parameters(), {64, 2048}) {
    for (const auto& [name, parameter] : buckets_.parameters())
      at::Tensor(parameter.grad()).copy_(at::sin(parameter.detach() * 50) * 2);
  }

  SmallNetwork network_, theirs_;
  std::unique_ptr<Communicator> communicator_;
  GradientBuckets buckets_;
};

TEST_F(Clipping, EqualsTorchs) {
  std::vector<at::Tensor> reference;
  for (std::size_t i = 0; i < buckets_.parameters().size(); ++i) {
    at::Tensor parameter = theirs_.parameters()[i].second;
    parameter.mutable_grad() = buckets_.parameters()[i].second.grad().clone();
    reference.push_back(parameter);
  }
  for (const double limit : {1e9, 5.0, 0.01}) {
    const double norm = torch::nn::utils::clip_grad_norm_(reference, limit);
    EXPECT_NEAR(clip_gradients(buckets_, {limit, 0}).item<double>(), norm, 1e-5 * norm);
    for (std::size_t i = 0; i < reference.size(); ++i) {
      const at::Tensor ours = buckets_.parameters()[i].second.grad();
      EXPECT_TRUE(at::allclose(ours, reference[i].grad(), 1e-5, 1e-7)) << limit << ", " << i;
    }
  }
}

TEST_F(Clipping, CutsElementsBeforeTheNorm) {
  const double norm = clip_gradients(buckets_, {1e9, 0.5}).item<double>();
  double squares = 0;
  for (const auto& [name, parameter] : buckets_.parameters()) {
    EXPECT_LE(parameter.grad().abs().max().item<double>(), 0.5) << name;
    squares += parameter.grad().to(at::kDouble).square().sum().item<double>();
  }
  EXPECT_NEAR(norm, std::sqrt(squares), 1e-9 * norm);
}

TEST_F(Clipping, WithoutLimitsNothingIsDone) {
  const at::Tensor before = buckets_.bucket(0).clone();
  EXPECT_FALSE(clip_gradients(buckets_, {}).defined());
  EXPECT_TRUE(buckets_.bucket(0).equal(before));
}

TEST_F(Clipping, ANormThatIsNoNumberIsToldNotHidden) {
  buckets_.bucket(0)[3] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(std::isfinite(clip_gradients(buckets_, {1, 0}).item<double>()));
}

TEST(GradientNorm, DoesNotDependOnThreads) {
  const auto communicator = make_serial_communicator();
  const NamedTensors parameters{{"large", at::sin(at::arange(300001, at::kFloat)).requires_grad_(true)}};
  GradientBuckets buckets(*communicator, parameters);
  at::Tensor(parameters[0].second.grad()).copy_(parameters[0].second.detach());
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const double one = gradient_norm(buckets).item<double>();
  at::set_num_threads(3);
  EXPECT_EQ(gradient_norm(buckets).item<double>(), one);
  at::set_num_threads(before);
}

}  // namespace
}  // namespace lockstep::testing

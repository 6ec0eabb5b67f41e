// The updates that GPUs make, on CPU tensors: equal to the CPU's kernels over many steps.
#include "optim/tensor_updates.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

namespace lockstep {
namespace {

/// Parameters, gradients and two states of one run, [parameter].
struct Trajectory {
  std::vector<at::Tensor> p, g, m, v;
};

Trajectory beginning() {
  Trajectory run;
  const at::Tensor flat = at::linspace(-1, 1, 1001), image = at::linspace(-2, 1, 4 * 3 * 5 * 5).view({4, 3, 5, 5});
  for (const at::Tensor& values : {flat, image.contiguous(at::MemoryFormat::ChannelsLast)}) {
    run.p.push_back(values.clone());
    for (auto* list : {&run.g, &run.m, &run.v}) list->push_back(at::zeros_like(values));
  }
  return run;
}

void set_gradients(Trajectory& run, int step) {
  for (std::size_t i = 0; i < run.p.size(); ++i)
    run.g[i].copy_(at::sin(run.p[i] * 3 + step) * (step % 5 == 4 ? 0.0 : 1.0));
}

void expect_equal(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_LT(((a[i] - b[i]).norm() / (b[i].norm() + 1e-12)).item<double>(), 2e-6) << "tensor " << i;
}

class TensorSgd : public ::testing::TestWithParam<kernels::SgdFactors> {};

TEST_P(TensorSgd, FollowsTheKernels) {
  Trajectory a = beginning(), b = beginning();
  for (int step = 0; step < 30; ++step) {
    kernels::SgdFactors factors = GetParam();
    factors.first = step == 0;
    set_gradients(a, step);
    set_gradients(b, step);
    const std::vector<at::Tensor> before = {a.g[0].clone(), a.g[1].clone()};
    tensors::sgd_update(factors, a.p, a.g, factors.momentum == 0 ? std::vector<at::Tensor>() : a.m);
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(a.g[i].equal(before[i])) << "gradients are kept";
    for (std::size_t i = 0; i < b.p.size(); ++i) {
      kernels::sgd_update(factors, b.p[i].numel(), b.p[i].data_ptr<float>(), b.g[i].data_ptr<float>(),
                          factors.momentum == 0 ? nullptr : b.m[i].data_ptr<float>());
    }
  }
  expect_equal(a.p, b.p);
  expect_equal(a.m, b.m);
}

INSTANTIATE_TEST_SUITE_P(Kinds, TensorSgd,
                         ::testing::Values(kernels::SgdFactors{0.01f, 0.0f, 0.0f, false, false},
                                           kernels::SgdFactors{0.01f, 0.1f, 0.0f, false, false},
                                           kernels::SgdFactors{0.01f, 0.0f, 0.9f, false, false},
                                           kernels::SgdFactors{0.01f, 0.1f, 0.9f, true, false}));

class TensorAdam : public ::testing::TestWithParam<std::pair<float, float>> {};  // L2, decoupled decay's factor

TEST_P(TensorAdam, FollowsTheKernels) {
  Trajectory a = beginning(), b = beginning();
  for (int step = 0; step < 30; ++step) {
    const double t = step + 1;
    const kernels::AdamFactors factors{0.9f,
                                       0.999f,
                                       1e-8f,
                                       0.1f,
                                       0.001f,
                                       GetParam().first,
                                       GetParam().second,
                                       static_cast<float>(0.01 / (1 - std::pow(0.9, t))),
                                       static_cast<float>(1 / std::sqrt(1 - std::pow(0.999, t)))};
    set_gradients(a, step);
    set_gradients(b, step);
    tensors::adam_update(factors, a.p, a.g, a.m, a.v);
    for (std::size_t i = 0; i < b.p.size(); ++i) {
      kernels::adam_update(factors, b.p[i].numel(), b.p[i].data_ptr<float>(), b.g[i].data_ptr<float>(),
                           b.m[i].data_ptr<float>(), b.v[i].data_ptr<float>());
    }
  }
  expect_equal(a.p, b.p);
  expect_equal(a.m, b.m);
  expect_equal(a.v, b.v);
}

TEST(TensorSgdWithL1, FollowsTheKernels) {
  for (const kernels::SgdFactors& factors :
       {kernels::SgdFactors{0.01f, 0.1f, 0.9f, false, false, 0.02f},
        kernels::SgdFactors{0.01f, 0.0f, 0.9f, true, false, 0.0f, 0.99f, 0.003f}}) {
    Trajectory a = beginning(), b = beginning();
    for (int step = 0; step < 30; ++step) {
      set_gradients(a, step);
      set_gradients(b, step);
      tensors::sgd_update(factors, a.p, a.g, a.m);
      for (std::size_t i = 0; i < b.p.size(); ++i) {
        kernels::sgd_update(factors, b.p[i].numel(), b.p[i].data_ptr<float>(), b.g[i].data_ptr<float>(),
                            b.m[i].data_ptr<float>());
      }
    }
    expect_equal(a.p, b.p);
  }
}

double norm_of(const at::Tensor& values) { return values.norm().item<double>(); }

TEST(TensorLars, FollowsTheKernels) {
  constexpr double trust = 0.5;
  Trajectory a = beginning(), b = beginning();
  for (int step = 0; step < 30; ++step) {
    set_gradients(a, step);
    set_gradients(b, step);
    for (std::size_t i = 0; i < b.p.size(); ++i) {
      tensors::lars_update({0.02f, 0.01f, 0.9f}, i == 0 ? 0 : trust, {a.p[i]}, {a.g[i]}, {a.m[i]});
      const double weights = norm_of(b.p[i]), gradients = norm_of(b.g[i]);
      const double own = i == 0 || gradients == 0 ? 1 : trust * weights / (gradients + 0.01 * weights);
      kernels::lars_update({static_cast<float>(0.02 * own), 0.01f, 0.9f}, b.p[i].numel(), b.p[i].data_ptr<float>(),
                           b.g[i].data_ptr<float>(), b.m[i].data_ptr<float>());
    }
  }
  expect_equal(a.p, b.p);
  expect_equal(a.m, b.m);
}

TEST(TensorLamb, FollowsTheKernels) {
  Trajectory a = beginning(), b = beginning();
  for (int step = 0; step < 30; ++step) {
    const double t = step + 1;
    const kernels::LambFactors factors{0.9f,
                                       0.999f,
                                       1e-6f,
                                       0.1f,
                                       0.001f,
                                       static_cast<float>(1 / (1 - std::pow(0.9, t))),
                                       static_cast<float>(1 / std::sqrt(1 - std::pow(0.999, t))),
                                       0.02f};
    set_gradients(a, step);
    set_gradients(b, step);
    for (std::size_t i = 0; i < b.p.size(); ++i) {
      tensors::lamb_update(factors, 0.01, i == 1, {a.p[i]}, {a.g[i]}, {a.m[i]}, {a.v[i]});
      float *p = b.p[i].data_ptr<float>(), *m = b.m[i].data_ptr<float>(), *v = b.v[i].data_ptr<float>();
      const double weights = norm_of(b.p[i]);
      const double direction =
          std::sqrt(kernels::lamb_moments(factors, b.p[i].numel(), p, b.g[i].data_ptr<float>(), m, v));
      const double trust = i == 1 && direction > 0 ? weights / direction : 1;
      kernels::lamb_update(factors, static_cast<float>(0.01 * trust), b.p[i].numel(), p, m, v);
    }
  }
  expect_equal(a.p, b.p);
  expect_equal(a.m, b.m);
  expect_equal(a.v, b.v);
}

/// A layer without size, or without a gradient, has no rate of its own, whatever its neighbours have.
TEST(TensorLayerRates, AreEachTensorsOwn) {
  std::vector<at::Tensor> p{at::zeros({3}), at::ones({4}), at::ones({2}) * 2},
      g{at::ones({3}), at::ones({4}), at::zeros({2})}, m{at::zeros({3}), at::zeros({4}), at::zeros({2})};
  tensors::lars_update({0.5f, 0.0f, 0.0f}, 0.1, p, g, m);
  EXPECT_TRUE(at::allclose(p[0], at::full({3}, -0.5)));
  EXPECT_TRUE(at::allclose(p[1], at::full({4}, 1 - 0.5 * 0.1)));
  EXPECT_TRUE(at::allclose(p[2], at::full({2}, 2.0)));
}

INSTANTIATE_TEST_SUITE_P(Decays, TensorAdam,
                         ::testing::Values(std::pair(0.0f, 1.0f), std::pair(0.1f, 1.0f), std::pair(0.0f, 0.999f)));

}  // namespace
}  // namespace lockstep

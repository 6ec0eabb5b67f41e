#include "preprocess/generated.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "lockstep/core/draws.hpp"
#include "preprocess/fingerprint.hpp"

namespace lockstep::preprocess {
namespace {

/// A point in the object's own coordinates: its outline lies about the unit circle.
struct Point {
  double u, v;
  double radius() const { return std::hypot(u, v); }
};

bool in_disc(Point p, double u, double v, double radius) { return std::hypot(p.u - u, p.v - v) < radius; }
bool in_square(Point p) { return std::max(std::abs(p.u), std::abs(p.v)) < 0.8; }

bool checker(Point p) {
  constexpr double tile = 0.4;
  const auto column = static_cast<int>(std::floor(p.u / tile)), row = static_cast<int>(std::floor(p.v / tile));
  return in_square(p) && ((column + row) & 1) == 0;
}
bool crescent(Point p) { return p.radius() < 1 && !in_disc(p, 0.5, 0, 0.8); }
bool cross(Point p) {
  constexpr double half_width = 0.22;
  return std::min(std::abs(p.u), std::abs(p.v)) < half_width && std::max(std::abs(p.u), std::abs(p.v)) < 1;
}
bool disc(Point p) { return p.radius() < 0.9; }
bool dots(Point p) {
  constexpr double size = 0.33, out = 0.62;
  return in_disc(p, out, 0, size) || in_disc(p, -out / 2, out * 0.866, size) ||
         in_disc(p, -out / 2, -out * 0.866, size);
}
bool ring(Point p) { return p.radius() < 1 && p.radius() > 0.62; }
bool star(Point p) {
  constexpr double spike = 2 * std::numbers::pi / 5;
  const double folded =
      std::abs(std::remainder(std::atan2(p.v, p.u), spike)) / (spike / 2);  // 0 at a tip, 1 between two
  return p.radius() < 1.05 - 0.68 * folded;
}
bool stripes(Point p) {
  constexpr double period = 0.5;
  return p.radius() < 1 && p.u - period * std::floor(p.u / period) < period / 2;
}
bool triangle(Point p) { return p.u > -0.5 && p.u * 0.5 + std::abs(p.v) * 0.866 < 0.5; }

struct Form {
  const char* name;
  bool (*covers)(Point);
};
constexpr std::array<Form, 10> forms = {{{"checker", checker},
                                         {"crescent", crescent},
                                         {"cross", cross},
                                         {"disc", disc},
                                         {"dots", dots},
                                         {"ring", ring},
                                         {"square", in_square},
                                         {"star", star},
                                         {"stripes", stripes},
                                         {"triangle", triangle}}};

using Colour = std::array<double, 3>;  // RGB, 0 to 1

double luma(const Colour& colour) { return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]; }

Colour draw_colour(Draws& draws) {
  Colour colour;
  for (double& channel : colour) channel = draws.uniform(0.1, 0.9);
  return colour;
}

/// All that is drawn at random about one picture but its noise.
struct Scene {
  double radius, centre_x, centre_y, angle;  // shares of the side; radians
  double slope_x, slope_y;                   // of the ground's brightness
  Colour object, ground;

  explicit Scene(Draws& draws) {
    constexpr double least_contrast = 0.35;
    radius = draws.uniform(0.28, 0.44);
    centre_x = draws.uniform(radius, 1 - radius);
    centre_y = draws.uniform(radius, 1 - radius);
    angle = draws.uniform(0, 2 * std::numbers::pi);
    slope_x = draws.uniform(-0.1, 0.1);
    slope_y = draws.uniform(-0.1, 0.1);
    do {
      object = draw_colour(draws);
      ground = draw_colour(draws);
    } while (std::abs(luma(object) - luma(ground)) < least_contrast);
  }

  Point at(double x, double y) const {
    const double dx = (x - centre_x) / radius, dy = (y - centre_y) / radius;
    return {dx * std::cos(angle) + dy * std::sin(angle), dy * std::cos(angle) - dx * std::sin(angle)};
  }
  double ground_light(double x, double y) const { return slope_x * (2 * x - 1) + slope_y * (2 * y - 1); }
};

/// Share of a pixel that the form covers, from 3 × 3 points: edges become smooth, forms keep apart at small sides.
double coverage(const Scene& scene, const Form& form, int column, int row, cv::Size size) {
  constexpr int points = 3;
  int hits = 0;
  for (int i = 0; i < points * points; ++i) {
    const double x = (column + (i % points + 0.5) / points) / size.width;
    const double y = (row + (i / points + 0.5) / points) / size.height;
    hits += form.covers(scene.at(x, y));
  }
  return static_cast<double>(hits) / (points * points);
}

cv::Vec3b pixel(const Scene& scene, const Form& form, int column, int row, cv::Size size, const PhiloxBlock& noise) {
  constexpr double noise_range = 0.06;
  const double share = coverage(scene, form, column, row, size);
  const double light = scene.ground_light((column + 0.5) / size.width, (row + 0.5) / size.height);
  cv::Vec3b rgb;
  for (std::size_t c = 0; c < 3; ++c) {
    const double even = share * scene.object[c] + (1 - share) * (scene.ground[c] + light);
    const double value = even + noise_range * (noise[c] * 0x1.0p-32 - 0.5);
    rgb[static_cast<int>(c)] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0, 1.0)));
  }
  return rgb;
}

}  // namespace

GeneratedSource::GeneratedSource(std::int64_t images, std::int64_t classes, std::uint64_t seed)
    : images_(images), classes_(classes), seed_(seed) {}

Listing GeneratedSource::list() {
  Listing listing;
  for (std::int64_t label = 0; label < classes_; ++label)
    listing.classes.push_back(forms[static_cast<std::size_t>(label)].name);
  listing.candidates.reserve(static_cast<std::size_t>(images_));
  for (std::int64_t id = 0; id < images_; ++id) {
    listing.candidates.push_back({fmt::format("generated:{}", id), "", "", static_cast<std::int32_t>(id % classes_)});
  }
  return listing;
}

Picture GeneratedSource::picture(std::int64_t id, const Candidate&, const PictureRequest& request) const {
  Draws draws(seed_, Purpose::generated_images, static_cast<std::uint64_t>(id));
  const Scene scene(draws);
  const Draws noise(seed_, Purpose::generated_images, static_cast<std::uint64_t>(id), 1);
  const Form& form = forms[static_cast<std::size_t>(id % classes_)];
  cv::Mat pixels(request.size, CV_8UC3);
  for (int row = 0; row < pixels.rows; ++row) {
    for (int column = 0; column < pixels.cols; ++column) {
      const auto block = noise.at(static_cast<std::uint64_t>(row) * static_cast<std::uint64_t>(pixels.cols) +
                                  static_cast<std::uint64_t>(column));
      pixels.at<cv::Vec3b>(row, column) = pixel(scene, form, column, row, request.size, block);
    }
  }
  if (request.channels == 1) cv::cvtColor(pixels, pixels, cv::COLOR_RGB2GRAY);
  return {pixels, request.size.width, request.size.height,
          source_bytes({pixels.data, pixels.total() * pixels.elemSize()})};
}

}  // namespace lockstep::preprocess

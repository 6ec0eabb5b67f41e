#include "lockstep/report/dot_plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace lockstep {
namespace {

// Pixels.
constexpr double panel_width = 300, height = 250;
constexpr double left = 52, right = 16, top = 34, bottom = 46;  // of a panel, around its axes
constexpr int x_ticks = 6, y_ticks = 6;

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char letter : text) {
    if (letter == '<')
      safe += "&lt;";
    else if (letter == '&')
      safe += "&amp;";
    else
      safe += letter;
  }
  return safe;
}

/// Where values of one axis lie on the paper.
struct Axis {
  std::vector<double> ticks;
  double begin = 0, end = 0;  // pixels of the first tick and of the last

  double place(double value) const {
    return begin + (end - begin) * (value - ticks.front()) / (ticks.back() - ticks.front());
  }
};

/// [x] → the mean of its dots.
std::map<double, double> means_of(const std::vector<PlotDot>& dots) {
  std::map<double, std::pair<double, double>> sums;
  for (const PlotDot& dot : dots) {
    sums[dot.x].first += dot.y;
    sums[dot.x].second += 1;
  }
  std::map<double, double> means;
  for (const auto& [x, sum] : sums) means[x] = sum.first / sum.second;
  return means;
}

void draw_axes(std::string& svg, const PlotPanel& panel, const Axis& x, const Axis& y) {
  for (const double tick : y.ticks) {
    svg += fmt::format(R"(<line class="grid" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)", x.begin, y.place(tick),
                       x.end, y.place(tick));
    svg += fmt::format(R"(<text class="right" x="{:.1f}" y="{:.1f}">{:.6g}</text>)", x.begin - 6, y.place(tick) + 4, tick);
    svg += "\n";
  }
  for (const double tick : x.ticks) {
    svg += fmt::format(R"(<text class="middle" x="{:.1f}" y="{:.1f}">{:.6g}</text>)", x.place(tick), y.begin + 18, tick);
    svg += "\n";
  }
  svg += fmt::format(R"(<text class="middle" x="{:.1f}" y="{:.1f}">{}</text>)", (x.begin + x.end) / 2, y.begin + 36,
                     escaped(panel.x_title));
  svg += fmt::format(R"(<text class="title" x="{:.1f}" y="{:.1f}">{}</text>)", x.begin, top - 14, escaped(panel.title));
  svg += "\n";
}

void draw_values(std::string& svg, const PlotPanel& panel, const Axis& x, const Axis& y) {
  std::string path;
  for (const auto& [at, mean] : means_of(panel.dots))
    path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "" : " ", x.place(at), y.place(mean));
  svg += fmt::format("<polyline class=\"mean\" points=\"{}\"/>\n", path);
  for (const PlotDot& dot : panel.dots)
    svg += fmt::format("<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>\n", x.place(dot.x), y.place(dot.y));
}

void draw(std::string& svg, const PlotPanel& panel, double from) {
  const auto by_x = [](const PlotDot& a, const PlotDot& b) { return a.x < b.x; };
  const auto by_y = [](const PlotDot& a, const PlotDot& b) { return a.y < b.y; };
  const auto [first, last] = std::ranges::minmax_element(panel.dots, by_x);
  const auto [least, most] = std::ranges::minmax_element(panel.dots, by_y);
  const Axis x{round_ticks(first->x, last->x, x_ticks), from + left, from + panel_width - right};
  const Axis y{round_ticks(panel.from_zero ? std::min(0.0, least->y) : least->y, most->y, y_ticks), height - bottom, top};
  draw_axes(svg, panel, x, y);
  draw_values(svg, panel, x, y);
}

/// 1, 2 or 5 times a power of ten, at least `step`.
double round_step(double step) {
  const double power = std::pow(10.0, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= step * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

}  // namespace

std::vector<double> round_ticks(double low, double high, int most) {
  if (low == high) high = low + std::max(1e-9, std::abs(low) * 0.1);  // a single value has an axis too
  double step = round_step((high - low) / (most - 1));
  // The ends, being rounded outwards, may need one tick more than fits.
  while (std::ceil(high / step - 1e-9) - std::floor(low / step + 1e-9) > most - 1) step = round_step(step * 1.5);
  std::vector<double> ticks;
  const double begin = std::floor(low / step + 1e-9), end = std::ceil(high / step - 1e-9);
  for (double tick = begin; tick <= end + 0.5; ++tick) ticks.push_back(tick * step);
  return ticks;
}

std::string dot_plot(const std::string& title, const std::vector<PlotPanel>& panels) {
  std::string drawn;
  double from = 0;
  for (const PlotPanel& panel : panels) {
    if (panel.dots.empty()) continue;
    draw(drawn, panel, from);
    from += panel_width;
  }
  const double width = std::max(from, panel_width);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "role=\"img\">\n<title>{2}</title>\n",
      width, height, escaped(title));
  svg +=
      "<style>text{font:12px sans-serif;fill:#24292f}.title{font-weight:bold}.right{text-anchor:end}"
      ".middle{text-anchor:middle}.grid{stroke:#d0d7de}.mean{fill:none;stroke:#0969da;stroke-width:2}"
      ".dot{fill:#0969da;fill-opacity:.45}</style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
  return svg + drawn + "</svg>\n";
}

}  // namespace lockstep

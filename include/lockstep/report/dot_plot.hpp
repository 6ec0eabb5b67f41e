// A plot of repeated measurements as an SVG file: panels side by side, each with its dots and a line through their means.
//
// Every x gets a dot for each of its measurements and a place on the line. Axes end at round numbers; the y axis begins at
// 0 where asked. The picture is text, needs nothing else and looks the same on a light and a dark page. Pure functions of
// their arguments: equal panels give equal bytes. Panels without dots are left out.
#pragma once
#include <string>
#include <vector>

namespace lockstep {

struct PlotDot {
  double x = 0, y = 0;
};

struct PlotPanel {
  std::string title;    ///< what y is, with its unit
  std::string x_title;  ///< what x is
  std::vector<PlotDot> dots;
  bool from_zero = true;  ///< the y axis begins at 0; else a little below the least value
};

/// The whole SVG file. `title`: for those who cannot see it. Values must be finite.
std::string dot_plot(const std::string& title, const std::vector<PlotPanel>& panels);

/// At most `most` (>= 2) round numbers, equally far from one another, from at or below `low` to at or above `high`.
std::vector<double> round_ticks(double low, double high, int most);

}  // namespace lockstep

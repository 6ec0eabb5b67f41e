#include "lockstep/record/captioned_picture.hpp"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace lockstep {
namespace {

constexpr std::int64_t letter_side = 5, least_width = 112, large_width = 256;
constexpr Colour background{24, 24, 24};

struct Glyph {
  char letter;
  std::string_view rows[letter_side];
};

constexpr Glyph font[]{
    // clang-format off
    {'A', {".###.", "#...#", "#####", "#...#", "#...#"}},
    {'B', {"####.", "#...#", "####.", "#...#", "####."}},
    {'C', {".####", "#....", "#....", "#....", ".####"}},
    {'D', {"####.", "#...#", "#...#", "#...#", "####."}},
    {'E', {"#####", "#....", "####.", "#....", "#####"}},
    {'F', {"#####", "#....", "####.", "#....", "#...."}},
    {'G', {".####", "#....", "#..##", "#...#", ".####"}},
    {'H', {"#...#", "#...#", "#####", "#...#", "#...#"}},
    {'I', {".###.", "..#..", "..#..", "..#..", ".###."}},
    {'J', {"..###", "...#.", "...#.", "#..#.", ".##.."}},
    {'K', {"#..#.", "#.#..", "##...", "#.#..", "#..#."}},
    {'L', {"#....", "#....", "#....", "#....", "#####"}},
    {'M', {"#...#", "##.##", "#.#.#", "#...#", "#...#"}},
    {'N', {"#...#", "##..#", "#.#.#", "#..##", "#...#"}},
    {'O', {".###.", "#...#", "#...#", "#...#", ".###."}},
    {'P', {"####.", "#...#", "####.", "#....", "#...."}},
    {'Q', {".###.", "#...#", "#.#.#", "#..#.", ".##.#"}},
    {'R', {"####.", "#...#", "####.", "#..#.", "#...#"}},
    {'S', {".####", "#....", ".###.", "....#", "####."}},
    {'T', {"#####", "..#..", "..#..", "..#..", "..#.."}},
    {'U', {"#...#", "#...#", "#...#", "#...#", ".###."}},
    {'V', {"#...#", "#...#", "#...#", ".#.#.", "..#.."}},
    {'W', {"#...#", "#...#", "#.#.#", "##.##", "#...#"}},
    {'X', {"#...#", ".#.#.", "..#..", ".#.#.", "#...#"}},
    {'Y', {"#...#", ".#.#.", "..#..", "..#..", "..#.."}},
    {'Z', {"#####", "...#.", "..#..", ".#...", "#####"}},
    {'0', {".###.", "#..##", "#.#.#", "##..#", ".###."}},
    {'1', {"..#..", ".##..", "..#..", "..#..", ".###."}},
    {'2', {"####.", "....#", ".###.", "#....", "#####"}},
    {'3', {"####.", "....#", ".###.", "....#", "####."}},
    {'4', {"#..#.", "#..#.", "#####", "...#.", "...#."}},
    {'5', {"#####", "#....", "####.", "....#", "####."}},
    {'6', {".###.", "#....", "####.", "#...#", ".###."}},
    {'7', {"#####", "....#", "...#.", "..#..", "..#.."}},
    {'8', {".###.", "#...#", ".###.", "#...#", ".###."}},
    {'9', {".###.", "#...#", ".####", "....#", ".###."}},
    {' ', {".....", ".....", ".....", ".....", "....."}},
    {'.', {".....", ".....", ".....", ".##..", ".##.."}},
    {',', {".....", ".....", ".....", "..#..", ".#..."}},
    {':', {"..#..", ".....", ".....", "..#..", "....."}},
    {'-', {".....", ".....", ".###.", ".....", "....."}},
    {'_', {".....", ".....", ".....", ".....", "#####"}},
    {'%', {"##..#", "##.#.", "..#..", ".#.##", "#..##"}},
    {'/', {"....#", "...#.", "..#..", ".#...", "#...."}},
    {'(', {"...#.", "..#..", "..#..", "..#..", "...#."}},
    {')', {".#...", "..#..", "..#..", "..#..", ".#..."}},
    {'+', {".....", "..#..", ".###.", "..#..", "....."}},
    {'=', {".....", ".###.", ".....", ".###.", "....."}},
    {'\'', {"..#..", "..#..", ".....", ".....", "....."}},
    {'&', {".##..", "#....", ".##.#", "#..#.", ".##.#"}},
    // clang-format on
};
constexpr Glyph box{'\0', {"#####", "#...#", "#...#", "#...#", "#####"}};

const Glyph& glyph_of(char letter) {
  const char capital = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  const auto* found = std::ranges::find(font, capital, &Glyph::letter);
  return found == std::end(font) ? box : *found;
}

/// A byte for each letter of UTF-8 text: those beyond ASCII become '\1', which the font does not have.
std::string single_bytes(std::string_view text) {
  std::string bytes;
  for (const char byte : text) {
    const auto value = static_cast<unsigned char>(byte);
    if (value < 0x80)
      bytes.push_back(byte);
    else if (value >= 0xC0)
      bytes.push_back('\1');
  }
  return bytes;
}

std::string fitted(std::string text, std::size_t letters) {
  if (text.size() <= letters) return text;
  const std::size_t dots = std::min<std::size_t>(2, letters);
  return text.substr(0, letters - dots) + std::string(dots, '.');
}

class Canvas {
 public:
  Canvas(std::int64_t height, std::int64_t width) : picture_{height, width, 3, {}} {
    picture_.pixels.resize(static_cast<std::size_t>(height * width * 3));
    fill(0, 0, height, width, background);
  }

  void fill(std::int64_t top, std::int64_t left, std::int64_t height, std::int64_t width, const Colour& colour) {
    for (std::int64_t y = top; y < top + height; ++y) {
      for (std::int64_t x = left; x < left + width; ++x)
        std::ranges::copy(colour, picture_.pixels.begin() + (y * picture_.width + x) * 3);
    }
  }

  void write(std::int64_t top, std::int64_t left, std::string_view text, std::int64_t dot, const Colour& colour) {
    for (const char letter : text) {
      const Glyph& glyph = glyph_of(letter);
      for (std::int64_t y = 0; y < letter_side; ++y) {
        for (std::int64_t x = 0; x < letter_side; ++x) {
          if (glyph.rows[y][static_cast<std::size_t>(x)] == '#') fill(top + y * dot, left + x * dot, dot, dot, colour);
        }
      }
      left += (letter_side + 1) * dot;
    }
  }

  Picture take() { return std::move(picture_); }

 private:
  Picture picture_;
};

Colour pixel_of(const Picture& picture, std::int64_t y, std::int64_t x) {
  const auto at = static_cast<std::size_t>((y * picture.width + x) * picture.channels);
  if (picture.channels == 1) return {picture.pixels[at], picture.pixels[at], picture.pixels[at]};
  return {picture.pixels[at], picture.pixels[at + 1], picture.pixels[at + 2]};
}

}  // namespace

Picture with_caption(const Picture& picture, const std::vector<std::string>& lines, const Colour& colour) {
  const std::int64_t factor = (least_width + picture.width - 1) / picture.width;
  const std::int64_t width = picture.width * factor, height = picture.height * factor;
  const std::int64_t dot = width >= large_width ? 2 : 1, gap = 2 * dot, line_height = letter_side * dot + gap;
  Canvas canvas(height + gap + static_cast<std::int64_t>(lines.size()) * line_height, width);
  for (std::int64_t y = 0; y < picture.height; ++y) {
    for (std::int64_t x = 0; x < picture.width; ++x)
      canvas.fill(y * factor, x * factor, factor, factor, pixel_of(picture, y, x));
  }
  const auto letters = static_cast<std::size_t>((width - gap) / ((letter_side + 1) * dot));
  std::int64_t top = height + gap;
  for (const std::string& line : lines) {
    canvas.write(top, gap, fitted(single_bytes(line), letters), dot, colour);
    top += line_height;
  }
  return canvas.take();
}

}  // namespace lockstep

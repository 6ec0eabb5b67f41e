// TensorBoard event files by our own writer, for tensorboard_test.py, which reads them with TensorBoard's own code.
//
//   event_steps kinds FOLDER INPUT   one file in FOLDER with an event of every kind, of steps 1, 2, …, made of INPUT:
//                                    "values" (float32), "grey" and "rgb" (uint8, 5 × 7 pixels)
//   event_steps numbers FOLDER FROM TO   a file of its own: what is there of steps from FROM on is void; then the number
//                                    "n" of each step FROM … TO - 1, step · 0.5, beside a text of 40 to 40,000 letters;
//                                    each step on a line of stdout once it is written
#include <fmt/format.h>

#include <cstring>

#include "lockstep/core/files.hpp"
#include "lockstep/record/captioned_picture.hpp"
#include "lockstep/record/event_file.hpp"
#include "lockstep/record/hparams_plugin.hpp"

namespace {

using namespace lockstep;
namespace fs = std::filesystem;

std::vector<float> floats_in(const fs::path& file) {
  const std::string bytes = read_file(file);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

Picture picture_in(const fs::path& file, std::int64_t channels) {
  const std::string bytes = read_file(file);
  return {5, 7, channels, {bytes.begin(), bytes.end()}};
}

void write_kinds(const fs::path& folder, const fs::path& input) {
  EventFile events(folder, 0);
  events.write(1, Summary().number("step/loss", 0.1).number("step/accuracy", 0.75));
  ValueHistogram values;
  values.add(floats_in(input / "values"));
  events.write(2, Summary().histogram("weights/conv1", values));
  const Picture rgb = picture_in(input / "rgb", 3);
  events.write(3, Summary().picture("pictures/grey", picture_in(input / "grey", 1)).picture("pictures/rgb", rgb));
  events.write(4, Summary().picture("pictures/captioned", with_caption(rgb, {"is cat", "said Ärger 3 %"}, {255, 0, 0})));
  events.write(5, Summary().text("config", "# α\n\n    lr = 0.001\n"));
  const Options options = Options::from_values(
      Command::train, {{"data", "somewhere"}, {"lr", "0.25"}, {"nesterov", "true"}, {"optimiser", "sgd"}, {"epochs", "7"}});
  Summary session;
  add_session_start(session, options, "judged/accuracy", true, 1000.5);
  add_session_end(session, 2000.25);
  events.write(0, session.number("judged/accuracy", 0.5));
}

void write_numbers(const fs::path& folder, std::int64_t from, std::int64_t to) {
  EventFile events(folder, from);
  for (std::int64_t step = from; step < to; ++step) {
    const std::string text(static_cast<std::size_t>(step % 7 == 0 ? 40000 : 40), 'x');
    events.write(step, Summary().number("n", 0.5 * static_cast<double>(step)).text("padding", text));
    fmt::print("{}\n", step);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 3 && words[0] == "kinds") {
    write_kinds(words[1], words[2]);
  } else if (words.size() == 4 && words[0] == "numbers") {
    write_numbers(words[1], std::stoll(words[2]), std::stoll(words[3]));
  } else {
    fmt::print(stderr, "event_steps kinds FOLDER INPUT | numbers FOLDER FROM TO\n");
    return 2;
  }
  return 0;
}

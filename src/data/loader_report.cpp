#include "lockstep/data/loader_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace lockstep {
namespace {

using nlohmann::ordered_json;

constexpr double worth_saying = 1.1;  // smaller gains drown in the noise of a measurement

double busy_seconds(const LoaderFigures& f) {
  return f.costs.read.seconds + f.costs.decode.seconds + f.costs.transform.seconds;
}

double per_sample(double value, const LoaderFigures& f) {
  return f.costs.samples == 0 ? 0 : value / static_cast<double>(f.costs.samples);
}

/// Share of the stored bytes that a disk delivered.
double from_disk(const LoaderFigures& f) {
  if (!f.disk_bytes || f.costs.read.bytes == 0) return 0;
  return std::min(1.0, static_cast<double>(*f.disk_bytes) / static_cast<double>(f.costs.read.bytes));
}

LoaderLimit limit_of(const LoaderFigures& f) {
  const double read = f.share(f.costs.read), decode = f.share(f.costs.decode), transform = f.share(f.costs.transform);
  const double most = std::max({read, decode, transform, f.waiting()});
  if (most == f.waiting()) return LoaderLimit::waiting;
  if (most == decode) return LoaderLimit::decoding;
  return most == read ? LoaderLimit::reading : LoaderLimit::transforming;
}

/// Without decoding, and with reads as long as they would be for all pixels of an image.
LoaderAdvice raw_store(const LoaderFigures& f, const LoaderSetting& s) {
  const double stored = per_sample(static_cast<double>(f.costs.read.bytes), f);
  const double larger = static_cast<double>(s.stored.bytes()) / std::max(stored, 1.0);
  const double after = f.costs.transform.seconds + f.costs.read.seconds * larger;
  const double gain = busy_seconds(f) / after;
  return {
      fmt::format("decoding takes {:.0f} % of the work: --store raw would give {:.1f}×, with shards {:.1f} times as "
                  "large",
                  100 * f.costs.decode.seconds / busy_seconds(f), gain, larger),
      gain};
}

LoaderAdvice faster_reads(const LoaderFigures& f) {
  const double gain = busy_seconds(f) / std::max(busy_seconds(f) - f.costs.read.seconds, 1e-9);
  return {fmt::format("reads wait for the disk, which delivered {:.0f} % of the bytes: in memory (--cache ram), on a "
                      "local disk (--stage) or in large blocks (--shuffle-window) up to {:.1f}×",
                      100 * from_disk(f), gain),
          gain};
}

LoaderAdvice more_prefetch(const LoaderFigures& f, const LoaderSetting& s) {
  // More than twice is never won back: the order of the next epoch and the start of threads wait too.
  const double gain = std::min(2.0, 1 / std::max(1e-3, 1 - f.waiting()));
  return {fmt::format("threads wait for room in the queue {:.0f} % of the time: --prefetch {} would give up to {:.1f}×",
                      100 * f.waiting(), 2 * s.prefetch, gain),
          gain};
}

LoaderAdvice more_threads(const LoaderFigures& f, const LoaderSetting& s) {
  const double gain = static_cast<double>(s.cores) / static_cast<double>(f.threads);
  return {
      fmt::format("{} threads on {} cores: --loader-threads {} would give up to {:.1f}×, where nothing else computes",
                  f.threads, s.cores, s.cores / f.ranks, gain),
      gain};
}

std::string stage_line(const char* name, const StageCost& stage, const LoaderFigures& f) {
  return fmt::format("{:<13} {:5.1f} % of the threads' time, {:.1f} µs an image\n", name, 100 * f.share(stage),
                     1e6 * per_sample(stage.seconds, f));
}

std::string bytes_line(const char* name, double bytes, const LoaderFigures& f, const std::string& note) {
  return fmt::format("{:<13} {:.1f} MB/s, {:.1f} kB an image{}\n", name,
                     per_sample(bytes, f) * f.images_per_second() / 1e6, per_sample(bytes, f) / 1e3, note);
}

ordered_json json_of(const StageCost& stage, const LoaderFigures& f) {
  return {{"share", f.share(stage)},
          {"seconds_per_image", per_sample(stage.seconds, f)},
          {"bytes_per_image", per_sample(static_cast<double>(stage.bytes), f)}};
}

}  // namespace

void LoaderFigures::add(const LoaderFigures& other) {
  seconds = std::max(seconds, other.seconds);
  cpu_seconds += other.cpu_seconds;
  ranks += other.ranks;
  threads += other.threads;
  batches += other.batches;
  batch_samples += other.batch_samples;
  costs += other.costs;
  if (disk_bytes && other.disk_bytes)
    *disk_bytes += *other.disk_bytes;
  else
    disk_bytes.reset();
}

double LoaderFigures::share(const StageCost& stage) const {
  // Threads that share a core with others may say more than there was.
  return stage.seconds / std::max(seconds * static_cast<double>(threads), busy_seconds(*this));
}

double LoaderFigures::waiting() const {
  return std::max(0.0, 1 - busy_seconds(*this) / (seconds * static_cast<double>(threads)));
}

std::string_view name_of(LoaderLimit limit) {
  switch (limit) {
    case LoaderLimit::reading:
      return "reading";
    case LoaderLimit::decoding:
      return "decoding";
    case LoaderLimit::transforming:
      return "transforming";
    case LoaderLimit::waiting:
      return "waiting";
  }
  return "";
}

LoaderReport judge(const LoaderFigures& f, const LoaderSetting& s) {
  LoaderReport report{f, limit_of(f), {}};
  const auto offer = [&report](LoaderAdvice advice) {
    if (advice.gain >= worth_saying) report.advice.push_back(std::move(advice));
  };
  constexpr double mostly_disk = 0.2;
  if (f.costs.decode.seconds > 0) offer(raw_store(f, s));
  if (from_disk(f) > mostly_disk) offer(faster_reads(f));
  offer(more_prefetch(f, s));
  if (s.cores >= f.threads + f.ranks) offer(more_threads(f, s));
  std::ranges::stable_sort(report.advice, std::ranges::greater{}, &LoaderAdvice::gain);
  return report;
}

std::string table_of(const LoaderReport& report) {
  const LoaderFigures& f = report.figures;
  std::string text = fmt::format("images/s      {:.0f} on {} thread{} of {} rank{}; {:.0f} for each core kept busy\n",
                                 f.images_per_second(), f.threads, f.threads == 1 ? "" : "s", f.ranks,
                                 f.ranks == 1 ? "" : "s", static_cast<double>(f.batch_samples) / f.cpu_seconds);
  const std::string disk = f.disk_bytes ? fmt::format(", {:.0f} % from the disk", 100 * from_disk(f)) : "";
  text += bytes_line("read", static_cast<double>(f.costs.read.bytes), f, disk);
  text += bytes_line("batches", static_cast<double>(f.costs.transform.bytes), f, "");
  text += stage_line("reading", f.costs.read, f);
  if (f.costs.decode.seconds > 0) text += stage_line("decoding", f.costs.decode, f);
  text += stage_line("transforming", f.costs.transform, f);
  text += fmt::format("{:<13} {:5.1f} %\n", "waiting", 100 * f.waiting());
  text += fmt::format("limit         {}\n", name_of(report.limit));
  for (const LoaderAdvice& advice : report.advice) text += fmt::format("advice        {}\n", advice.text);
  if (report.advice.empty()) text += "advice        none: the cores are busy with what has to be done\n";
  return text;
}

std::string json_of(const LoaderReport& report) {
  const LoaderFigures& f = report.figures;
  ordered_json advice = ordered_json::array();
  for (const LoaderAdvice& one : report.advice) advice.push_back({{"text", one.text}, {"gain", one.gain}});
  const ordered_json json{
      {"images_per_second", f.images_per_second()},
      {"images_per_cpu_second", static_cast<double>(f.batch_samples) / f.cpu_seconds},
      {"seconds", f.seconds},
      {"images", f.batch_samples},
      {"ranks", f.ranks},
      {"threads", f.threads},
      {"read", json_of(f.costs.read, f)},
      {"decode", json_of(f.costs.decode, f)},
      {"transform", json_of(f.costs.transform, f)},
      {"waiting_share", f.waiting()},
      {"disk_bytes", f.disk_bytes ? ordered_json(*f.disk_bytes) : ordered_json()},
      {"limit", name_of(report.limit)},
      {"advice", advice},
  };
  return json.dump(2) + "\n";
}

std::string to_text(const LoaderFigures& f) {
  const auto stage = [](const StageCost& cost) { return ordered_json{cost.seconds, cost.bytes}; };
  return ordered_json{f.seconds,
                      f.cpu_seconds,
                      f.ranks,
                      f.threads,
                      f.batches,
                      f.batch_samples,
                      f.costs.samples,
                      stage(f.costs.read),
                      stage(f.costs.decode),
                      stage(f.costs.transform),
                      f.disk_bytes ? ordered_json(*f.disk_bytes) : ordered_json()}
      .dump();
}

LoaderFigures of_text(const std::string& text) {
  const auto json = ordered_json::parse(text);
  const auto stage = [](const ordered_json& cost) { return StageCost{cost.at(0), cost.at(1)}; };
  LoaderFigures f;
  f.seconds = json.at(0);
  f.cpu_seconds = json.at(1);
  f.ranks = json.at(2);
  f.threads = json.at(3);
  f.batches = json.at(4);
  f.batch_samples = json.at(5);
  f.costs = {stage(json.at(7)), stage(json.at(8)), stage(json.at(9)), json.at(6)};
  if (!json.at(10).is_null()) f.disk_bytes = json.at(10).get<std::uint64_t>();
  return f;
}

}  // namespace lockstep

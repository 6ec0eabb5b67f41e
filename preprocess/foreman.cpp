#include "preprocess/foreman.hpp"

#include <atomic>
#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "lockstep/core/stopwatch.hpp"

namespace lockstep::preprocess {
namespace {

using Json = nlohmann::json;

constexpr std::chrono::milliseconds pause(1);  // between two looks for letters

// Letters to rank 0: {"want": true}, {"images": n}, {"shard": record}, {"failure": […]}, {"leave": true}; its answer to
// the first is the shard's number.
std::string letter_of(const Json& content) {
  std::string bytes;
  Json::to_cbor(content, bytes);
  return bytes;
}

Json failure_json(const Error& error) {
  return {error.message(), error.where(), error.hint(), static_cast<int>(error.exit_code())};
}

Error failure_from(const Json& json) {
  return {json[0].get<std::string>(), json[1].get<std::string>(), json[2].get<std::string>(),
          static_cast<Exit>(json[3].get<int>())};
}

/// Rank 0's own. A thread answers the other ranks.
class ListKeeper : public Foreman {
 public:
  ListKeeper(World& world, std::vector<std::int64_t> shards, ForemanNews news)
      : world_(world), shards_(std::move(shards)), news_(std::move(news)), away_(world.size() - 1) {
    if (away_ > 0) clerk_ = std::jthread([this](const std::stop_token& stop) { answer(stop); });
  }

  std::int64_t next() override {
    const std::lock_guard lock(mutex_);
    return failure_ || next_ == shards_.size() ? -1 : shards_[next_++];
  }
  void image_done() override { news_.images_done(1); }
  void shard_done(const ShardRecord& record) override {
    const std::lock_guard lock(mutex_);
    news_.shard_done(record);
  }
  void failed(const Error& error) override {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = error;
  }
  std::optional<Error> leave() override {
    if (clerk_.joinable()) clerk_.join();
    return failure_;
  }

 private:
  void answer(const std::stop_token& stop) noexcept {
    try {
      while (away_ > 0 && !stop.stop_requested()) {
        const std::optional<World::Letter> letter = world_.collect();
        if (letter) {
          read(*letter);
        } else {
          std::this_thread::sleep_for(pause);
        }
      }
    } catch (const Error& error) {
      failed(error);
    } catch (const std::exception& error) {
      failed(defect(error.what(), "packing, letters"));
    }
  }

  void read(const World::Letter& letter) {
    const Json content = Json::from_cbor(letter.text);
    if (content.contains("images")) news_.images_done(content["images"].get<std::int64_t>());
    if (content.contains("shard")) shard_done(ShardRecord::from_bytes(content["shard"].get<std::string>()));
    if (content.contains("failure")) failed(failure_from(content["failure"]));
    if (content.contains("want")) world_.post(letter.from, std::to_string(next()));
    if (content.contains("leave")) --away_;
  }

  World& world_;
  const std::vector<std::int64_t> shards_;
  const ForemanNews news_;
  std::mutex mutex_;  // guards what follows, and news_.shard_done
  std::size_t next_ = 0;
  std::optional<Error> failure_;
  int away_;            // ranks that have not left; the clerk's
  std::jthread clerk_;  // the last member: it uses the others
};

/// Of every other rank.
class Messenger : public Foreman {
 public:
  explicit Messenger(World& world) : world_(world) {}

  std::int64_t next() override {
    send({{"want", true}});
    while (true) {
      if (const std::optional<World::Letter> answer = world_.collect()) return std::stoll(answer->text);
      std::this_thread::sleep_for(pause);
    }
  }
  void image_done() override {
    constexpr double seconds = 0.2;
    ++images_;
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || since_letter_.seconds() < seconds) return;
    since_letter_.restart();
    world_.post(0, letter_of({{"images", images_.exchange(0)}}));
  }
  void shard_done(const ShardRecord& record) override { send({{"shard", record.to_bytes()}}); }
  void failed(const Error& error) override { send({{"failure", failure_json(error)}}); }
  std::optional<Error> leave() override {
    send({{"leave", true}});
    return std::nullopt;
  }

 private:
  void send(Json content) {
    content["images"] = images_.exchange(0);
    world_.post(0, letter_of(content));
  }

  World& world_;
  std::atomic<std::int64_t> images_ = 0;  // not told yet
  std::mutex mutex_;                      // guards what follows
  Stopwatch since_letter_;
};

}  // namespace

std::unique_ptr<Foreman> make_foreman(World& world, std::vector<std::int64_t> shards, ForemanNews news) {
  if (world.rank() > 0) return std::make_unique<Messenger>(world);
  return std::make_unique<ListKeeper>(world, std::move(shards), std::move(news));
}

}  // namespace lockstep::preprocess

#include "gpu_seats.hpp"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

namespace lockstep {
namespace {

Error shared_gpu(std::size_t first, std::size_t second, const GpuSeat& seat) {
  return Error(fmt::format("ranks {} and {} would share one GPU ({})", first, second, seat.gpu), seat.host,
               fmt::format("NCCL needs a GPU for each rank: start at most {} rank{} on this host, or have the batch "
                           "system give each rank a GPU of its own",
                           seat.visible, seat.visible == 1 ? "" : "s"));
}

}  // namespace

std::string GpuSeat::to_text() const {
  return nlohmann::json{
      {"host", host}, {"gpu", gpu}, {"visible", visible}, {"failure", failure}, {"exit", static_cast<int>(exit_code)}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

GpuSeat GpuSeat::from_text(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  return {json.at("host"), json.at("gpu"), json.at("visible"), json.at("failure"),
          static_cast<Exit>(json.at("exit").get<int>())};
}

std::optional<Error> fault_of(std::span<const GpuSeat> seats) {
  for (std::size_t rank = 0; rank < seats.size(); ++rank) {
    const GpuSeat& seat = seats[rank];
    if (seat.failure.empty()) continue;
    return Error(fmt::format("the GPU of rank {} can't be used: {}", rank, seat.failure), seat.host,
                 "every rank needs a GPU; or train with --device cpu", seat.exit_code);
  }
  std::map<std::pair<std::string, std::string>, std::size_t> taken;  // host and GPU to rank
  for (std::size_t rank = 0; rank < seats.size(); ++rank) {
    const auto [place, is_new] = taken.emplace(std::pair(seats[rank].host, seats[rank].gpu), rank);
    if (!is_new) return shared_gpu(place->second, rank, seats[rank]);
  }
  return std::nullopt;
}

}  // namespace lockstep

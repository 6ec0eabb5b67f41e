#include "lockstep/comm/agreement.hpp"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "lockstep/core/digest.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kLongestQuote = 200;

std::vector<std::int64_t> gather_numbers(Communicator& communicator, std::int64_t mine) {
  const at::Tensor number = at::full({1}, mine, at::TensorOptions().dtype(at::kLong).device(communicator.device()));
  at::Tensor all = at::empty({communicator.size()}, number.options());
  communicator.gather_all(number, all).wait();
  all = all.cpu();
  const auto* values = all.const_data_ptr<std::int64_t>();
  return {values, values + all.numel()};
}

/// The beginning of each rank's text, [rank].
std::vector<std::string> gather_quotes(Communicator& communicator, std::string_view mine) {
  at::Tensor padded = at::zeros({static_cast<std::int64_t>(kLongestQuote)}, at::kByte);
  std::memcpy(padded.mutable_data_ptr(), mine.data(), std::min(mine.size(), kLongestQuote - 1));
  padded = padded.to(communicator.device());
  at::Tensor all = at::empty({communicator.size(), static_cast<std::int64_t>(kLongestQuote)}, padded.options());
  communicator.gather_all(padded, all).wait();
  all = all.cpu();
  std::vector<std::string> quotes;
  for (int r = 0; r < communicator.size(); ++r) {
    quotes.emplace_back(static_cast<const char*>(all.const_data_ptr()) + static_cast<std::size_t>(r) * kLongestQuote);
  }
  return quotes;
}

/// "rank 0, 2: a; rank 1: b"
std::string who_says_what(const std::vector<std::int64_t>& digests, const std::vector<std::string>& quotes) {
  std::vector<std::pair<std::int64_t, std::string>> groups;  // digest, ranks; in order of first rank
  std::map<std::int64_t, std::string> said;
  for (std::size_t r = 0; r < digests.size(); ++r) {
    const auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == digests[r]; });
    if (group == groups.end()) {
      groups.emplace_back(digests[r], std::to_string(r));
      said[digests[r]] = quotes[r];
    } else {
      group->second += ", " + std::to_string(r);
    }
  }
  std::string text;
  for (const auto& [digest, ranks] : groups) {
    text += fmt::format("{}rank {}: {}", text.empty() ? "" : "; ", ranks, said[digest]);
  }
  return text;
}

struct Outcome {
  std::exception_ptr failure;
  Exit code = Exit::done;
  std::string text;
};

Outcome outcome_of(const std::function<void()>& step) {
  try {
    step();
    return {};
  } catch (const Error& error) {
    return {std::current_exception(), error.exit_code(), error.what()};
  } catch (const std::exception& error) {
    return {std::current_exception(), Exit::failed, error.what()};
  }
}

}  // namespace

void require_agreement(Communicator& communicator, std::string_view subject, std::string_view value) {
  const auto mine = static_cast<std::int64_t>(Digest().add(value).value());
  const std::vector<std::int64_t> digests = gather_numbers(communicator, mine);
  if (std::all_of(digests.begin(), digests.end(), [&](std::int64_t digest) { return digest == digests.front(); }))
    return;
  const std::vector<std::string> quotes = gather_quotes(communicator, value);
  throw Error(fmt::format("{} differs between ranks: {}", subject, who_says_what(digests, quotes)),
              communicator.place().text(),
              "all ranks must run the same program with the same config on the same data set");
}

void succeed_together(Communicator& communicator, std::string_view subject, const std::function<void()>& step) {
  const Outcome mine = outcome_of(step);
  const std::vector<std::int64_t> codes = gather_numbers(communicator, static_cast<std::int64_t>(mine.code));
  const auto failed = std::find_if(codes.begin(), codes.end(), [](std::int64_t code) { return code != 0; });
  if (failed == codes.end()) return;
  const std::vector<std::string> quotes = gather_quotes(communicator, mine.text);
  if (mine.failure) std::rethrow_exception(mine.failure);
  const auto rank = static_cast<std::size_t>(failed - codes.begin());
  throw Error(fmt::format("{} failed on rank {}: {}", subject, rank, quotes[rank]), communicator.place().text(),
              fmt::format("see to what rank {} says", rank), static_cast<Exit>(*failed));
}

}  // namespace lockstep

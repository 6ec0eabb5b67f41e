#include <deque>

#include "evaluate/tally.hpp"
#include "lockstep/core/stopwatch.hpp"
#include "lockstep/evaluate/ensemble.hpp"

namespace lockstep {

EnsembleEvaluation evaluate_ensemble(const std::vector<Scorer>& members, const Combination& how, std::int64_t classes,
                                     Communicator& communicator) {
  const Stopwatch watch;
  std::deque<Tally> tallies;  // [member]; they cannot be moved
  for (const Scorer& member : members) tallies.emplace_back(classes, member.settings.scores);
  Tally together(classes, members.front().settings.scores);
  score_windows(members, how, true, communicator, [&](const ScoredWindow& window) {
    for (std::size_t m = 0; m < members.size(); ++m) {
      for (const ScoredBlock& block : window.members[m]) tallies[m].add(block);
    }
    for (const ScoredBlock& block : window.combined) together.add(block);
  });
  EnsembleEvaluation evaluation;
  for (Tally& tally : tallies) evaluation.members.push_back(tally.finish(communicator));
  evaluation.ensemble = together.finish(communicator);
  evaluation.ensemble.seconds = watch.seconds();
  return evaluation;
}

}  // namespace lockstep

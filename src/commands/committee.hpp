// The runs that evaluate and predict were given, as one classifier: who counts how much, and what comes of it.
//
// One run is a committee of one. Every rank makes the same; choose() and judge() are called by all together. Internal
// to src/commands. Errors: --member-weights that do not fit; members of other classes; for parameters: networks, sizes
// or normalisations that differ.
#pragma once
#include <string>
#include <vector>

#include "commands/members.hpp"
#include "commands/shown_images.hpp"
#include "lockstep/evaluate/ensemble.hpp"

namespace lockstep {

enum class EnsembleRule { average, vote, best, greedy, parameters };

/// What is compared on a split.
struct Judgement {
  std::vector<Evaluation> members;
  Evaluation ensemble;
};

class Committee {
 public:
  /// `options`: of evaluate or predict, with --ensemble and --member-weights.
  Committee(std::vector<Member> members, const Options& options);

  const std::vector<Member>& members() const { return members_; }
  const std::vector<std::string>& classes() const { return members_.front().classes; }
  bool alone() const { return members_.size() == 1; }
  /// Whether a split decides about the weights: best, greedy.
  bool chooses() const { return rule_ == EnsembleRule::best || rule_ == EnsembleRule::greedy; }
  std::string_view rule() const;
  /// The networks that are asked, and how what they say is combined: the members, or one made of them.
  const std::vector<Member>& asked() const { return mean_.empty() ? members_ : mean_; }
  Combination combination() const;
  const std::vector<double>& weights() const { return weights_; }
  void to(c10::Device device);

  /// Sets the weights by what the members do on a split. Where the rule chooses.
  void choose(const ShownImages& images, Communicator& communicator);
  /// Members and ensemble on a split. `mean`: the same images as the network sees that parameters makes; else not
  /// looked at.
  Judgement judge(const ShownImages& images, const ShownImages& mean, Communicator& communicator) const;

  /// A line a member and one for the ensemble.
  std::string table(const Judgement& judgement) const;
  /// Of several members, for --output. `split`: as it is called there. `more`: a JSON object whose fields come last.
  std::string json(const Judgement& judgement, const std::string& split, std::string_view more = {}) const;

 private:
  std::int64_t class_count() const { return std::ssize(classes()); }

  std::vector<Member> members_;
  EnsembleRule rule_;
  std::vector<double> weights_;  // [member]
  std::vector<Member> mean_;     // of parameters: one
};

}  // namespace lockstep

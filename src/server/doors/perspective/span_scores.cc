// SPDX-License-Identifier: Apache-2.0
#include "server/doors/perspective/span_scores.hpp"

#include <algorithm>
#include <cstddef>

namespace qwen3guard::server {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

/// What the tokens of a verdict, or of one of its parts, say of the sentences.
class SentenceMarks {
 public:
  SentenceMarks(const Attribute& attribute, const std::vector<Sentence>& sentences, std::size_t n_bytes)
      : attribute_(attribute), sentences_(sentences), scores_(sentences.size(), 0), is_judged_(n_bytes) {}

  void take(const Verdict& verdict) {
    for (const TokenVerdict& token : verdict.token_verdicts) take(token);
    for (const Verdict& part : verdict.windows) take(part);
  }

  [[nodiscard]] std::vector<double> finish(std::string_view text) && {
    for (std::size_t i = 0; i < sentences_.size(); ++i) {
      for (std::size_t at = sentences_[i].begin; at < sentences_[i].end; ++at) {
        if (!is_judged_[at] && kSpace.find(text[at]) == std::string_view::npos) scores_[i] = 1;
      }
    }
    return std::move(scores_);
  }

 private:
  void take(const TokenVerdict& token) {
    if (token.source == VerdictSource::none) return;
    const auto begin = static_cast<std::size_t>(std::max<std::int64_t>(token.byte_begin, 0));
    const auto end =
        std::min(static_cast<std::size_t>(std::max<std::int64_t>(token.byte_end, 0)), is_judged_.size());
    const double score = score_of(attribute_, token);
    auto sentence = std::upper_bound(sentences_.begin(), sentences_.end(), begin,
                                     [](std::size_t at, const Sentence& s) { return at < s.end; });
    for (; sentence != sentences_.end() && sentence->begin < end; ++sentence) {
      double& best = scores_[static_cast<std::size_t>(sentence - sentences_.begin())];
      best = std::max(best, score);
    }
    for (std::size_t at = begin; at < end; ++at) is_judged_[at] = true;
  }

  const Attribute& attribute_;
  const std::vector<Sentence>& sentences_;
  std::vector<double> scores_;
  std::vector<bool> is_judged_;
};

}  // namespace

std::vector<double> sentence_scores(const Attribute& attribute, const std::vector<Sentence>& sentences,
                                    std::string_view text, const Verdict& verdict) {
  SentenceMarks marks(attribute, sentences, text.size());
  marks.take(verdict);
  return std::move(marks).finish(text);
}

}  // namespace qwen3guard::server

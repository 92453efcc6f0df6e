// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_UNIT_GUARD_STREAM_FIXTURE_HPP
#define QWEN3GUARD_TESTS_UNIT_GUARD_STREAM_FIXTURE_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"

namespace qwen3guard::test {

/// Probabilities of differently cut sequences differ by rounding only; logits agree to 1e-4
/// (docs/numerics.md), and a softmax's slope is at most 1/4 per logit, two of which move.
inline constexpr double kMargin = 1e-4;

inline bool is_close(const TokenVerdict& a, const TokenVerdict& b) {
  const auto near = [](float x, float y) { return std::abs(double{x} - double{y}) <= kMargin; };
  bool ok = a.id == b.id && a.position == b.position && a.byte_begin == b.byte_begin &&
            a.byte_end == b.byte_end && a.source == b.source && a.counts == b.counts &&
            near(a.probabilities.safe, b.probabilities.safe) &&
            near(a.probabilities.unsafe, b.probabilities.unsafe);
  for (std::size_t c = 0; c < a.category_probabilities.size(); ++c)
    ok = ok && near(a.category_probabilities[c], b.category_probabilities[c]);
  return ok;
}

/// Equal tokens, places and probabilities; actions too, unless a probability is so close to another that
/// rounding decides.
inline void check_close(const std::vector<TokenVerdict>& a, const std::vector<TokenVerdict>& b) {
  REQUIRE(a.size() == b.size());
  bool is_certain = true;
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i, a.size(), a[i].id, b[i].id, a[i].byte_begin, b[i].byte_begin, a[i].byte_end, b[i].byte_end,
            a[i].position, b[i].position, a[i].probabilities.safe, b[i].probabilities.safe);
    REQUIRE(is_close(a[i], b[i]));
    is_certain = is_certain && a[i].severity == b[i].severity;
    if (is_certain) REQUIRE(a[i].action == b[i].action);
  }
}

/// What a host keeps of a turn: the verdicts as the updates left them.
class Record {
 public:
  void apply(const StreamUpdate& update) {
    REQUIRE(update.first <= verdicts_.size());
    REQUIRE(update.first >= n_settled_);  // what was settled does not change
    verdicts_.resize(update.first);
    verdicts_.insert(verdicts_.end(), update.tokens.begin(), update.tokens.end());
    REQUIRE(update.n_settled <= verdicts_.size());
    n_settled_ = std::max(n_settled_, update.n_settled);
  }
  void rewound(const StreamUpdate& update) {
    n_settled_ = 0;
    apply(update);
  }
  [[nodiscard]] const std::vector<TokenVerdict>& verdicts() const { return verdicts_; }

 private:
  std::vector<TokenVerdict> verdicts_;
  std::size_t n_settled_ = 0;
};

/// Text in several scripts, with what makes tokens change when more follows.
class StreamText {
 public:
  explicit StreamText(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  std::string next(std::size_t n_parts) {
    static const std::string kParts[] = {
        "The quick brown fox",
        " jumps over",
        " the lazy dog.",
        "\n\n",
        "  ",
        " burn their houses down",
        " you idiot",
        "'ll",
        "'re",
        " 12345",
        "<think>",
        "</think>",
        "<|im_end|>",
        "<|im_",
        " \xE4\xBD\xA0\xE5\xA5\xBD",
        "\xE4\xB8\x96\xE7\x95\x8C",
        " \xD0\xBF\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82",
        "e\xCC\x81",
        "\xCC\x81",
        " caf\xC3\xA9",
        " \xD9\x85\xD8\xB1\xD8\xAD\xD8\xA8\xD8\xA7",
        "\xF0\x9F\x98\x80",
        " supercalifragilistic",
        "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8",
        " \xE0\xA4\xA8\xE0\xA4\xAE\xE0\xA4\xB8\xE0\xA5\x8D\xE0\xA4\xA4\xE0\xA5\x87",
        "!?",
        " kill",
        " a",
        " x=1;",
        "\r\n"};
    std::string text;
    for (std::size_t i = 0; i < n_parts; ++i) text += kParts[below(std::size(kParts))];
    return text;
  }

 private:
  std::mt19937 random_;
};

/// A prompt and a response, whole.
inline std::vector<TokenVerdict> judge_whole(const Guard& guard, const StreamOptions& options,
                                             std::string_view prompt, std::string_view response) {
  StreamSession session = guard.open_stream(options).value();
  session.push_prompt(prompt).throw_if_error();
  Record record;
  record.apply(session.push_text(response).value());
  return record.verdicts();
}

}  // namespace qwen3guard::test

#endif  // QWEN3GUARD_TESTS_UNIT_GUARD_STREAM_FIXTURE_HPP

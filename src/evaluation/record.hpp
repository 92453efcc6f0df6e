// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_RECORD_HPP
#define QWEN3GUARD_SRC_EVALUATION_RECORD_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "qwen3guard/policy_spec.hpp"
#include "qwen3guard/verdict.hpp"

/// How good verdicts are: metrics over labelled rows, what follows from them, and the files of a run. Nothing
/// here reads JSON, prints, or runs a model. No part of the library: the program and the tests link it.
namespace qwen3guard::evaluation {

/// Tokens first to last, both included, by their indices in the rendered conversation.
struct TokenSpan {
  std::int32_t first = 0, last = 0;
};

/// What a person said of a row's last message.
struct Gold {
  /// Empty: the row has no label, or one that is not scored.
  std::optional<Severity> label;
  std::vector<Category> categories;
  std::optional<bool> refusal;
  std::optional<TokenSpan> unsafe_span;  ///< the first unsafe passage of a response
  /// A passage is marked, whether or not its tokens are known: they are not where none were judged.
  bool is_passage_marked = false;
  bool is_weak = false;  ///< the label was assumed from the kind of source
};

/// What ranks texts by harm, in [0, 1].
struct Scores {
  /// P(Unsafe) + P(Controversial), and P(Unsafe): what strict and loose mode look at. Of a Stream
  /// checkpoint's response the debounced ones: max over i of min(score[i - 1], score[i]) over its tokens that
  /// count. @{
  float strict = 0, loose = 0;  /// @}
};

/// What the model and the policy said of it.
struct Prediction {
  Severity severity = Severity::not_judged;  ///< not_judged: an error, or a deny list decided
  std::optional<Scores> scores;              ///< empty where the model judged nothing
  std::vector<CategoryScore> categories;     ///< most relevant first
  std::optional<Refusal> refusal;
  Action action = Action::none;  ///< of the policy
  Rule rule = Rule::none;        ///< deny_list: it decided without the model
  /// Stream checkpoints, responses: what each judged token was found to be, and the index in the
  /// conversation of the first of them.
  std::vector<Severity> token_severities;
  std::int32_t first_token = 0;
  std::int32_t n_tokens = 0;  ///< of the rendered conversation
  double ms = 0;              ///< its share of the time that its batch took
};

/// A row that was judged.
struct Record {
  std::string set;       ///< the data file's stem
  std::size_t line = 0;  ///< 1-based, in that file
  std::string id;
  std::string language;  ///< empty: not known
  Role role = Role::user;
  Gold gold;
  Prediction prediction;
};

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_RECORD_HPP

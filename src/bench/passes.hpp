// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_BENCH_PASSES_HPP
#define QWEN3GUARD_SRC_BENCH_PASSES_HPP

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/kv_cache.hpp"
#include "model/model.hpp"
#include "model/workspace.hpp"
#include "qwen3guard/verdict.hpp"
#include "util/try.hpp"

namespace qwen3guard::bench {

[[nodiscard]] inline double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// How often a piece of work is repeated: at least n_min times, then while the budget lasts.
struct Repeats {
  int n_min = 4, n_max = 200;
  double budget_ms = 700;

  /// Milliseconds of the fastest repeat of body(), which returns a Status, after one that is not counted.
  /// Errors: body's.
  template <class Body>
  [[nodiscard]] Result<double> best_ms(const Body& body) const {
    Q3G_TRY(body());
    double best = 0, total = 0;
    for (int i = 0; i < n_max && (i < n_min || total < budget_ms); ++i) {
      const auto start = std::chrono::steady_clock::now();
      Q3G_TRY(body());
      const double ms = ms_since(start);
      best = i == 0 ? ms : std::min(best, ms);
      total += ms;
    }
    return best;
  }
};

/// Token ids that are made up, all over the vocabulary, and the same each time.
[[nodiscard]] inline std::vector<TokenId> made_up_ids(std::int32_t n, std::int32_t vocab_size) {
  std::vector<TokenId> ids;
  std::uint32_t state = 1;
  for (std::int32_t i = 0; i < n; ++i) {
    state = state * 1664525U + 1013904223U;
    ids.push_back(static_cast<TokenId>((state >> 8) % static_cast<std::uint32_t>(vocab_size)));
  }
  return ids;
}

/// Forward passes over made-up tokens, with what a guard does with their hidden states: the response heads of
/// a Stream checkpoint, the logits of three tokens of a Gen one. The model is borrowed.
class Passes {
 public:
  /// Room for n_context tokens, of which up to max_rows in one pass get heads.
  Passes(const detail::Model& model, std::int32_t n_context, std::int32_t max_rows)
      : model_(model),
        cache_(model.new_cache(static_cast<std::size_t>(n_context))),
        ids_(made_up_ids(n_context, model.config().vocab_size)) {
    const auto n = static_cast<std::size_t>(max_rows);
    hidden_.resize(n * model.config().hidden_size);
    if (is_stream()) {
      risk_.resize(n * labels().risk.size());
      category_.resize(n * labels().category.size());
    }
  }

  /// Leaves `n` tokens in the cache.
  [[nodiscard]] Status set_history(std::int32_t n) {
    cache_.truncate(0);
    return model_.forward(ids(n), cache_, workspace_, {}, nullptr);
  }

  /// n_tokens after those in the cache, with heads for the last n_rows of them (Gen: for the last one). The
  /// cache is then as before.
  [[nodiscard]] Status run(std::int32_t n_tokens, std::int32_t n_rows) {
    const auto rows = static_cast<std::size_t>(is_stream() ? n_rows : 1);
    const detail::Span2d<float> hidden(hidden_.data(), rows, model_.config().hidden_size);
    const std::size_t n_history = cache_.n_tokens();
    Q3G_TRY(model_.forward(ids(n_tokens), cache_, workspace_, hidden, nullptr));
    cache_.truncate(n_history);
    if (is_stream()) {
      model_.guard_heads(detail::HeadRole::response, hidden, {risk_.data(), rows, labels().risk.size()},
                         {category_.data(), rows, labels().category.size()}, workspace_);
    } else {
      std::array<float, kSeverityCount> logits{};
      model_.lm_logits_for(hidden.row(0), ids(kSeverityCount), logits);
    }
    return {};
  }

 private:
  [[nodiscard]] bool is_stream() const noexcept {
    return model_.config().architecture == detail::Architecture::guard;
  }
  [[nodiscard]] const detail::HeadLabels& labels() const noexcept {
    return model_.config().labels(detail::HeadRole::response);
  }
  [[nodiscard]] std::span<const TokenId> ids(std::int32_t n) const noexcept {
    return std::span(ids_).first(static_cast<std::size_t>(n));
  }

  const detail::Model& model_;
  detail::KvCache cache_;
  detail::Workspace workspace_;
  std::vector<TokenId> ids_;
  std::vector<float> hidden_, risk_, category_;
};

}  // namespace qwen3guard::bench

#endif  // QWEN3GUARD_SRC_BENCH_PASSES_HPP

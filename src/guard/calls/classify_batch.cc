// SPDX-License-Identifier: Apache-2.0
#include "guard/calls/classify_batch.hpp"

#include <list>
#include <utility>

#include "guard/calls/long_message.hpp"
#include "guard/calls/wave.hpp"
#include "guard/policy/ruling.hpp"
#include "qwen3guard/policy.hpp"
#include "util/not_cancelled.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// Tokens that the conversations of one wave compute, a Gen prompt's constant beginning not counted. Bounds
/// the memory of their caches, and is many times what the matrix products need to run at full speed.
constexpr std::size_t kWaveTokens = 2048;

/// A Gen verdict's role and ruling; a Stream checkpoint's has them.
Status rule_on_gen(BatchItem& item, const ClassifyOptions& options) {
  item.verdict->role = item.messages.back().role;
  Q3G_ASSIGN(item.verdict->ruling, rule_on_verdict(options.policy, *item.verdict));
  return {};
}

class BatchRun {
 public:
  BatchRun(std::shared_ptr<const Guard::Impl> guard, std::size_t n_items, const ClassifyOptions& options,
           const BatchCalls& calls)
      : guard_(std::move(guard)), options_(options), calls_(calls) {
    const bool is_gen = !guard_->is_stream(), is_greedy = options.decoder == Decoder::greedy;
    if (is_gen && (n_items == 1 || is_greedy)) single_ = gen_single_wave(*guard_, options);
    if (!is_gen) wave_ = stream_wave(guard_, options);
    if (is_gen && !is_greedy) wave_ = gen_wave(*guard_, options);
  }

  Status judge(BatchItem& item) {
    Wave& wave = single_ != nullptr ? *single_ : *wave_;
    auto n_added = add([&] { return wave.add(item); });
    if (n_added.ok()) return took(*n_added);
    if (n_added.error().code == ErrorCode::context_full && uses_windows(options_)) return judge_long(item);
    item.verdict = std::move(n_added).error();
    return calls_.on_done(item);
  }

  /// Judges what was added.
  Status flush() {
    n_tokens_ = 0;
    const auto on_done = [&](BatchItem& item) { return done(item); };
    if (single_ != nullptr) Q3G_TRY(single_->run(on_done));
    return wave_ != nullptr ? wave_->run(on_done) : Status();
  }

 private:
  template <class Add>
  auto add(const Add& add) -> decltype(add()) {
    // So that a batch which is stopped encodes nothing more.
    if (Status status = not_cancelled(options_.cancel.get()); !status.ok()) return std::move(status).error();
    return add();
  }

  Status took(std::size_t n_tokens) {
    n_tokens_ += n_tokens;
    return n_tokens_ < kWaveTokens ? Status() : flush();
  }

  Status judge_long(BatchItem& item) {
    Wave& wave = wave_ != nullptr ? *wave_ : *single_;
    LongMessage& message = long_.emplace_back(*guard_, item, options_);
    if (Status status = message.begin(wave); !status.ok()) message.fail(std::move(status).error());
    while (message.has_more()) {
      auto n_added = add([&] { return message.add_next(wave); });
      if (!n_added.ok()) {
        message.fail(std::move(n_added).error());
        break;
      }
      const bool is_last = !message.has_more();
      Q3G_TRY(took(*n_added));
      if (n_tokens_ == 0 && !is_last && calls_.on_windows) Q3G_TRY(calls_.on_windows());
    }
    return finish_if_done(message);
  }

  Status finish_if_done(LongMessage& message) {
    if (!message.is_done() || message.is_finished()) return {};
    message.item().verdict = message.finish();
    return calls_.on_done(message.item());
  }

  Status done(BatchItem& item) {
    if (item.verdict.ok() && !guard_->is_stream()) {
      if (Status status = rule_on_gen(item, options_); !status.ok()) item.verdict = std::move(status).error();
    }
    if (item.part_of == nullptr) return calls_.on_done(item);
    LongMessage& message = *item.part_of;
    message.take(item);
    return finish_if_done(message);
  }

  std::shared_ptr<const Guard::Impl> guard_;
  const ClassifyOptions& options_;
  const BatchCalls& calls_;
  std::list<LongMessage> long_;  // before the waves, which point into them
  std::unique_ptr<Wave> single_, wave_;
  std::size_t n_tokens_ = 0;
};

}  // namespace

bool uses_windows(const ClassifyOptions& options) noexcept {
  return options.long_text.value_or(options.policy.rules().long_text) == LongText::windows;
}

Status classify_items(const std::shared_ptr<const Guard::Impl>& guard, std::span<BatchItem* const> items,
                      const ClassifyOptions& options, const BatchCalls& calls) {
  BatchRun run(guard, items.size(), options, calls);
  for (BatchItem* item : items) Q3G_TRY(run.judge(*item));
  return run.flush();
}

}  // namespace qwen3guard::detail

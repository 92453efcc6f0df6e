// SPDX-License-Identifier: Apache-2.0
#include "bench/measure.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "bench/forward_limit.hpp"
#include "bench/passes.hpp"
#include "bench/peak_memory.hpp"
#include "bench/peaks.hpp"
#include "embedded/embedded_models.hpp"
#include "guard/conversation/gen_template.hpp"
#include "guard/gen/classify_gen.hpp"
#include "guard/gen/gen_decode.hpp"
#include "guard/loaded/guard_impl.hpp"
#include "model/checkpoint/open_checkpoint.hpp"
#include "tokenizer/tokenizer_files.hpp"
#include "util/concat.hpp"
#include "util/error.hpp"
#include "util/guarded.hpp"

namespace qwen3guard::bench {
namespace {

constexpr std::array<std::int32_t, 2> kPrefillTokens = {128, 512};
constexpr std::array<std::int32_t, 3> kChunkTokens = {1, 4, 16};
constexpr std::int32_t kHistoryTokens = 300;
/// Of a verdict's prompt, after its constant beginning.
constexpr std::int32_t kVerdictRestTokens = 104;

/// One measurement under way. The limits come last: the buffer that measures the memory's speed would count
/// into the memory that the model takes.
class Measuring {
 public:
  Measuring(std::shared_ptr<const detail::Model> model, std::optional<Tokenizer> tokenizer,
            const MeasureOptions& options)
      : model_(std::move(model)),
        impl_(model_, std::move(tokenizer), model_->config().max_position_embeddings, /*kept_tokens=*/0),
        options_(options) {
    if (options.quick) repeats_ = {1, 3, 10};
    out_.info = impl_.info();
    out_.prefill.resize(kPrefillTokens.size());
    out_.chunks.resize(kChunkTokens.size());
  }

  /// Errors: those of Model::forward; unsupported_model (hardly any context).
  [[nodiscard]] Status measure_passes() {
    const std::int32_t n_context = std::min(out_.info.max_context_tokens, kPrefillTokens.back());
    const std::int32_t n_chunk = kChunkTokens.back();
    if (n_context <= n_chunk) {
      return detail::error(ErrorCode::unsupported_model, "measure: the context has ", n_context,
                           " tokens, expected more than ", n_chunk);
    }
    Passes passes(*model_, n_context, n_chunk);
    for (std::size_t i = 0; i < kPrefillTokens.size(); ++i) {
      const std::int32_t n = clamped("prefill", kPrefillTokens[i], n_context);
      Q3G_TRY(time(out_.prefill[i], n, 0, [&] { return passes.run(n, 1); }));
    }
    const std::int32_t n_history = clamped("history", kHistoryTokens, n_context - n_chunk);
    Q3G_TRY(passes.set_history(n_history));
    for (std::size_t i = 0; i < kChunkTokens.size(); ++i) {
      const std::int32_t n = kChunkTokens[i];
      Q3G_TRY(time(out_.chunks[i], n, n_history, [&] { return passes.run(n, n); }));
    }
    if (out_.info.kind == ModelKind::gen)
      out_.notes.emplace_back("decode and chunks: logits of three tokens, not of the whole vocabulary");
    return {};
  }

  /// Errors: those of Guard::classify.
  [[nodiscard]] Status measure_verdict() {
    if (out_.info.kind != ModelKind::gen) return {};
    if (!impl_.tokenizer()) {
      out_.notes.emplace_back("verdict: not measured, the checkpoint has no tokenizer");
      return {};
    }
    Message message{Role::user, "x"};
    const std::span<const Message> messages(&message, 1);
    // The first call computes the constant beginning, the second one says how long it is.
    const auto first = detail::classify_gen(impl_, messages, judging_);
    if (!first.ok() && first.error().code == ErrorCode::context_full) {
      out_.notes.push_back("verdict: not measured, " + first.error().detail);
      return {};
    }
    Q3G_TRY(first);
    Q3G_ASSIGN(Verdict verdict, detail::classify_gen(impl_, messages, judging_));
    const std::int32_t n_kept = verdict.tokens.cached;
    Q3G_TRY(lengthen(message, n_kept + kVerdictRestTokens));

    MeasuredVerdict& out = out_.verdict.emplace();
    Q3G_ASSIGN(verdict, detail::classify_gen(impl_, messages, judging_));
    out.n_prompt_tokens = verdict.tokens.prompt;
    out.n_kept_tokens = verdict.tokens.cached;
    out.n_generated_tokens = verdict.tokens.generated;
    const std::int32_t n_all = out.n_prompt_tokens + out.n_generated_tokens;
    const auto judge = [&](const Guard::Impl& impl) -> Status {
      const auto judged = detail::classify_gen(impl, messages, judging_);
      return judged.ok() ? Status() : Status(judged.error());
    };
    Q3G_TRY(
        time(out.prefix_kept, n_all - out.n_kept_tokens, out.n_kept_tokens, [&] { return judge(impl_); }));
    return time(out.whole, n_all, 0, [&] { return judge(*new_impl()); });
  }

  /// Measures the peaks and sets every limit. Throws std::bad_alloc.
  [[nodiscard]] Measurement finish(const ForwardCost& cost, const PeakLoops& loops) {
    out_.weight_bytes_per_token = cost.weight_bytes;
    out_.peak_rss_mb = static_cast<double>(peak_resident_bytes()) / (1024.0 * 1024.0);
    detail::Team team(out_.info.n_threads);
    PeakOptions peak_options;
    if (options_.quick)
      peak_options = {.buffer_bytes = std::size_t{64} << 20, .repeat_ms = 4, .n_repeats = 2};
    const Peaks peaks = measure_peaks(loops, team, peak_options);
    out_.peaks = {peaks.int8_gops, peaks.bf16_gflops, peaks.fp32_gflops, peaks.read_gb_s};
    for (const Work& work : work_) {
      MeasuredTime& measured = *work.time;
      measured.limit_fraction = cost.limit_ms(peaks, measured.n_tokens, work.n_history) / measured.ms;
    }
    out_.decode = out_.chunks.front();
    return std::move(out_);
  }

 private:
  /// A guard over the model that has judged nothing yet.
  [[nodiscard]] std::unique_ptr<Guard::Impl> new_impl() const {
    return std::make_unique<Guard::Impl>(model_, impl_.tokenizer(), out_.info.max_context_tokens, 0);
  }

  /// What was measured, for its limit.
  struct Work {
    MeasuredTime* time;
    std::int32_t n_history;
  };

  template <class Body>
  [[nodiscard]] Status time(MeasuredTime& out, std::int32_t n_tokens, std::int32_t n_history,
                            const Body& body) {
    out.n_tokens = n_tokens;
    work_.push_back({&out, n_history});
    Q3G_ASSIGN(out.ms, repeats_.best_ms(body));
    return {};
  }

  [[nodiscard]] std::int32_t clamped(const char* what, std::int32_t n_wanted, std::int32_t n_most) {
    if (n_wanted <= n_most) return n_wanted;
    out_.notes.push_back(detail::concat(what, ": ", n_most, " tokens instead of ", n_wanted,
                                        ", for the context has ", out_.info.max_context_tokens));
    return n_most;
  }

  /// Makes the prompt n_tokens long, or as long as the context allows, give or take a word.
  [[nodiscard]] Status lengthen(Message& message, std::int32_t n_tokens) {
    constexpr std::array<const char*, 6> kWords = {"What", " is", " the", " weather", " like", " in Paris? "};
    const std::int32_t room = out_.info.max_context_tokens - detail::kMaxVerdictTokens;
    const auto n_most = static_cast<std::size_t>(clamped("verdict", n_tokens, room));
    message.content.clear();
    for (std::size_t i = 0;; ++i) {
      const std::size_t length = message.content.size();
      message.content += kWords[i % kWords.size()];
      Q3G_ASSIGN(const auto ids, detail::encode_gen_prompt(*impl_.tokenizer(), {&message, 1}));
      if (ids.size() == n_most) return {};
      if (ids.size() > n_most) {
        message.content.resize(length);
        return {};
      }
    }
  }

  std::shared_ptr<const detail::Model> model_;
  Guard::Impl impl_;
  const MeasureOptions options_;
  ClassifyOptions judging_;
  Repeats repeats_;
  Measurement out_;
  std::vector<Work> work_;
};

Result<Measurement> measure_checkpoint(const detail::Checkpoint& checkpoint, const MeasureOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Q3G_ASSIGN(auto model, detail::Model::load(checkpoint, {.n_threads = options.n_threads,
                                                          .isa = options.isa,
                                                          .verify = options.verify == Verify::full}));
  std::optional<Tokenizer> tokenizer;
  if (detail::has_tokenizer(checkpoint.tokenizer_files())) {
    Q3G_ASSIGN(tokenizer, detail::load_tokenizer(checkpoint.tokenizer_files()));
  }
  const double load_ms = ms_since(start);

  Q3G_ASSIGN(const PeakLoops* loops, peak_loops(model->isa()));
  const ForwardCost cost = forward_cost(model->config(), model->weights());
  Measuring measuring(std::move(model), std::move(tokenizer), options);
  Q3G_TRY(measuring.measure_passes());
  Q3G_TRY(measuring.measure_verdict());
  Measurement measurement = measuring.finish(cost, *loops);
  measurement.load_ms = load_ms;
  return measurement;
}

}  // namespace

Result<Measurement> measure(std::string_view model_dir, const MeasureOptions& options) {
  return detail::guarded("measure", [&]() -> Result<Measurement> {
    Q3G_ASSIGN(const auto checkpoint, detail::open_checkpoint(std::string(model_dir)));
    return measure_checkpoint(*checkpoint, options);
  });
}

Result<Measurement> measure_embedded(std::string_view name, const MeasureOptions& options) {
  return detail::guarded("measure_embedded", [&]() -> Result<Measurement> {
    Q3G_ASSIGN(const auto checkpoint, detail::open_embedded(name));
    return measure_checkpoint(*checkpoint, options);
  });
}

}  // namespace qwen3guard::bench

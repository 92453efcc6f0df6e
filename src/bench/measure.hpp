// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_BENCH_MEASURE_HPP
#define QWEN3GUARD_SRC_BENCH_MEASURE_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/guard.hpp"
#include "qwen3guard/status.hpp"

/// What a model does on this machine: the bodies of `qwen3guard bench`.
namespace qwen3guard::bench {

/// Options of measure().
struct MeasureOptions {
  std::int32_t n_threads = 0;         ///< as GuardOptions::n_threads
  std::string isa;                    ///< as GuardOptions::isa
  Verify verify = Verify::automatic;  ///< as GuardOptions::verify
  /// Few repeats and less memory: shows that everything works, its figures are coarse.
  bool quick = false;
};

/// What this machine can do with the instruction set and the threads in use, measured by loops that do
/// nothing else. A multiply-add counts 2.
struct MeasuredPeaks {
  double int8_gops = 0;    ///< 10^9 operations a second on int8
  double bf16_gflops = 0;  ///< on bfloat16
  double fp32_gflops = 0;  ///< on float32
  double read_gb_s = 0;    ///< 10^9 bytes a second, read in order from memory
};

/// One measured piece of work.
struct MeasuredTime {
  /// Fed in it; less than asked for where the context is too short, and `notes` says so then.
  std::int32_t n_tokens = 0;
  double ms = 0;  ///< of the fastest repeat
  /// The least time that the peaks allow, divided by `ms`. That time is the larger one of two: all
  /// multiply-adds at the peak of their arithmetic, and all weights and the history's keys and values read
  /// once from memory. Above 1 where caches hold what memory would have to deliver.
  double limit_fraction = 0;
};

/// A Gen verdict on a prompt, tokenizer included.
struct MeasuredVerdict {
  /// With the constant beginning of the prompt kept from earlier calls, as Guard::classify_prompt() does it.
  MeasuredTime prefix_kept;
  /// With every token computed: what the first call on a loaded model takes.
  MeasuredTime whole;
  std::int32_t n_prompt_tokens = 0;  ///< tokens of the rendered prompt
  std::int32_t n_kept_tokens = 0;    ///< of these, in the constant beginning
  /// Tokens of the verdict. A Safe one takes one forward pass, others a few more, and the limit counts one:
  /// random weights say anything.
  std::int32_t n_generated_tokens = 0;
};

/// Figures of one model on this machine, now. A plain value. Times are those of the fastest of several
/// repeats after one that is not counted; the token ids are made up, since they do not matter.
struct Measurement {
  ModelInfo info;          ///< the model, instruction set and threads
  MeasuredPeaks peaks;     ///< of the machine
  double load_ms = 0;      ///< weights and tokenizer; weights are mapped, not read
  double peak_rss_mb = 0;  ///< MiB that the process had resident at most, before `peaks` took their memory
  /// Bytes of the layers' weights (and heads, for Stream) that any forward pass has to read.
  std::int64_t weight_bytes_per_token = 0;

  std::vector<MeasuredTime> prefill;  ///< of 128 and 512 tokens without history, heads for the last one
  /// One token after 300 others: the transformer, and the response heads for Stream; the logits of three
  /// tokens for Gen, which is what its verdicts need, and not of the whole vocabulary.
  MeasuredTime decode;
  std::vector<MeasuredTime> chunks;        ///< the same for 1, 4 and 16 tokens in one pass
  std::optional<MeasuredVerdict> verdict;  ///< Gen with a tokenizer
  std::vector<std::string> notes;          ///< what differs from the above, for people
};

/// Loads the model at `model_dir` (as Guard::load) and measures it: some 10 seconds for 0.6B parameters.
/// Other work on the machine makes all figures worse. Errors: those of Guard::load and
/// Guard::classify_prompt.
[[nodiscard]] Result<Measurement> measure(std::string_view model_dir, const MeasureOptions& options = {});

/// The same for a model in the library. Errors: also file_not_found (no such name).
[[nodiscard]] Result<Measurement> measure_embedded(std::string_view name, const MeasureOptions& options = {});

}  // namespace qwen3guard::bench

#endif  // QWEN3GUARD_SRC_BENCH_MEASURE_HPP

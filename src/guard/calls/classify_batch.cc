// SPDX-License-Identifier: Apache-2.0
#include "guard/calls/classify_batch.hpp"

#include "guard/calls/wave.hpp"
#include "guard/gen/classify_gen.hpp"
#include "util/not_cancelled.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// Tokens that the conversations of one wave compute, a Gen prompt's constant beginning not counted. Bounds
/// the memory of their caches, and is many times what the matrix products need to run at full speed.
constexpr std::size_t kWaveTokens = 2048;

Result<std::size_t> add(Wave& wave, BatchItem& item, const CancelFlag* cancel) {
  Q3G_TRY(not_cancelled(cancel));  // so that a batch which is stopped encodes nothing more
  return wave.add(item);
}

}  // namespace

Status classify_items(const std::shared_ptr<const Guard::Impl>& guard, std::span<BatchItem* const> items,
                      const ClassifyOptions& options, const std::function<Status(BatchItem&)>& on_done) {
  if (!guard->is_stream() && (items.size() == 1 || options.decoder == Decoder::greedy)) {
    for (BatchItem* item : items) {
      item->verdict = classify_gen(*guard, item->messages, options);
      Q3G_TRY(on_done(*item));
    }
    return {};
  }
  const auto wave = guard->is_stream() ? stream_wave(guard, options) : gen_wave(*guard, options);
  std::size_t n_tokens = 0;
  for (BatchItem* item : items) {
    const auto n_added = add(*wave, *item, options.cancel.get());
    if (!n_added.ok()) {
      item->verdict = n_added.error();
      Q3G_TRY(on_done(*item));
      continue;
    }
    n_tokens += *n_added;
    if (n_tokens < kWaveTokens) continue;
    Q3G_TRY(wave->run(on_done));
    n_tokens = 0;
  }
  return wave->run(on_done);
}

}  // namespace qwen3guard::detail

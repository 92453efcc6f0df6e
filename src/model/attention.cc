// SPDX-License-Identifier: Apache-2.0
#include "model/attention.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "model/attention_block.hpp"
#include "util/exceptions.hpp"

namespace qwen3guard::detail {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

std::size_t queries_per_block(std::size_t group) noexcept {
  return std::max<std::size_t>(1, kBlockRows / group);
}

/// The queries [first, first + n) of one piece, for the heads that share one key-value head.
struct Task {
  const AttentionPiece* piece;
  std::size_t kv_head, first, n;
};

class GroupedAttention {
 public:
  GroupedAttention(std::size_t layer, const AttentionContext& context)
      : layer_(layer),
        kernels_(context.kernels),
        head_dim_(context.config.head_dim),
        group_(context.config.n_heads / context.config.n_kv_heads) {}

  /// False when memory for packing could not be had.
  bool run(const Task& task, float* scratch) const noexcept {
    const KvLayout& layout = task.piece->cache->layout();
    const std::size_t rows = task.n * group_;
    const AttentionBlock block(scratch, rows, head_dim_);
    gather(task, block, layout);
    std::fill_n(block.out, rows * head_dim_, 0.0F);
    std::fill_n(block.peak, rows, kMinusInfinity);
    std::fill_n(block.mass, rows, 0.0F);
    const auto segments = task.piece->cache->segments();
    const std::size_t n_keys = position(task, 0) + task.n;
    for (std::size_t i = 0; i < segments.size() && segments[i].begin < n_keys; i += kBlockPages) {
      if (!add_pages(task, block, segments.subspan(i, std::min(kBlockPages, segments.size() - i)), n_keys))
        return false;
    }
    for (std::size_t r = 0; r < rows; ++r)
      kernels_.scale(block.out + r * head_dim_, head_dim_, 1.0F / block.mass[r]);
    scatter(task, block);
    return true;
  }

 private:
  [[nodiscard]] static std::size_t position(const Task& task, std::size_t query) noexcept {
    return task.piece->first_position + task.first + query;
  }
  [[nodiscard]] float* head_row(const Task& task, std::size_t query) const noexcept {
    return task.piece->q.row(task.first + query).data() + task.kv_head * group_ * head_dim_;
  }

  /// Row r of a block is head r % group of query r / group; scaled here once.
  void gather(const Task& task, const AttentionBlock& block, const KvLayout& layout) const noexcept {
    const std::size_t n = group_ * head_dim_;
    const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim_));
    for (std::size_t i = 0; i < task.n; ++i) {
      std::memcpy(block.q + i * n, head_row(task, i), n * sizeof(float));
      kernels_.scale(block.q + i * n, n, scale);
    }
    if (!layout.format().rounds_queries) return;
    const std::size_t width = layout.padded_dim();
    for (std::size_t r = 0; r < task.n * group_; ++r) {
      (kernels_.*layout.format().round)(block.q16 + r * width, block.q + r * head_dim_, head_dim_);
      std::fill(block.q16 + r * width + head_dim_, block.q16 + (r + 1) * width, std::uint16_t{0});
    }
  }

  void scatter(const Task& task, const AttentionBlock& block) const noexcept {
    const std::size_t n = group_ * head_dim_;
    for (std::size_t i = 0; i < task.n; ++i)
      std::memcpy(head_row(task, i), block.out + i * n, n * sizeof(float));
  }

  /// Page j of the block has the columns [j, j + 1) * kKvPageTokens, whether or not it has so many tokens.
  bool add_pages(const Task& task, const AttentionBlock& block, std::span<const KvCache::Segment> pages,
                 std::size_t n_keys) const noexcept {
    const KvLayout& layout = task.piece->cache->layout();
    const std::size_t rows = task.n * group_;
    KeyRun runs[kBlockPages];
    std::size_t n_runs = 0;
    for (const KvCache::Segment& page : pages) {
      if (page.begin >= n_keys) break;
      KeyRun& run = runs[n_runs];
      run.keys = page.page->key_block(layout, layer_, task.kv_head);
      run.values = page.page->value_block(layout, layer_, task.kv_head);
      run.n = std::min(page.capacity, n_keys - page.begin);
      if (!score_run(block, block.scores + n_runs * kKvPageTokens, rows, run, layout, kernels_)) return false;
      ++n_runs;
    }
    const std::size_t n_columns = n_runs * kKvPageTokens;
    for (std::size_t r = 0; r < rows; ++r) {
      float* scores = block.scores + r * kBlockKeys;
      bool any = false;
      for (std::size_t j = 0; j < n_runs; ++j) {
        const std::size_t begin = pages[j].begin;
        const std::size_t at = position(task, r / group_);
        const std::size_t visible = at < begin ? 0 : std::min(runs[j].n, at - begin + 1);
        any |= visible > 0;
        std::fill(scores + j * kKvPageTokens + visible, scores + (j + 1) * kKvPageTokens, kMinusInfinity);
      }
      if (any) {
        update_row(block, r, n_columns);
      } else {
        std::fill_n(scores, n_columns, 0.0F);
      }
      if (layout.format().rounds_queries)
        (kernels_.*layout.format().round)(block.weights + r * kBlockKeys, scores, n_columns);
    }
    for (std::size_t j = 0; j < n_runs; ++j) {
      if (!add_values(block, j * kKvPageTokens, rows, runs[j], layout, kernels_)) return false;
    }
    return true;
  }

  /// Scores become weights relative to the largest score so far; what was summed before is scaled to match.
  void update_row(const AttentionBlock& block, std::size_t r, std::size_t n) const noexcept {
    float* scores = block.scores + r * kBlockKeys;
    const float peak = std::max(block.peak[r], kernels_.max(scores, n));
    if (block.peak[r] < peak && block.mass[r] > 0.0F) {
      const float shrink = std::exp(block.peak[r] - peak);
      block.mass[r] *= shrink;
      kernels_.scale(block.out + r * head_dim_, head_dim_, shrink);
    }
    block.peak[r] = peak;
    block.mass[r] += kernels_.exp_sum(scores, n, peak);
  }

  std::size_t layer_;
  const KernelTable& kernels_;
  std::size_t head_dim_, group_;
};

}  // namespace

std::size_t attention_scratch_floats(const ModelConfig& config, int n_threads) noexcept {
  const std::size_t group = config.n_heads / config.n_kv_heads;
  const std::size_t rows = queries_per_block(group) * group;
  const std::size_t floats = AttentionBlock::floats(rows, config.head_dim);
  return (floats + 15) / 16 * 16 * static_cast<std::size_t>(n_threads);
}

void attention(std::span<AttentionPiece> pieces, std::size_t layer, const AttentionContext& context) {
  const GroupedAttention grouped(layer, context);
  const std::size_t n_kv_heads = context.config.n_kv_heads;
  const std::size_t per_block = queries_per_block(context.config.n_heads / n_kv_heads);
  std::size_t n_tasks = 0, work = 0;
  for (AttentionPiece& piece : pieces) {
    piece.first_task = n_tasks;
    n_tasks += n_kv_heads * ((piece.q.rows() + per_block - 1) / per_block);
    work += piece.q.rows() * piece.q.cols() * (piece.first_position + piece.q.rows());
  }
  const std::size_t n_workers =
      std::min(n_tasks, static_cast<std::size_t>(work >= kMinParallelWork ? context.workers.n_threads() : 1));
  const std::size_t worker_floats = attention_scratch_floats(context.config, 1);
  // Each worker owns a piece of the scratch and takes tasks until none is left, the longest (the last blocks
  // of a piece, which see the most keys) first.
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  context.workers.run(n_workers, work, [&](std::size_t worker) {
    float* scratch = context.scratch.data() + worker * worker_floats;
    for (std::size_t i = next.fetch_add(1); i < n_tasks; i = next.fetch_add(1)) {
      const auto after =
          std::upper_bound(pieces.begin(), pieces.end(), i,
                           [](std::size_t t, const AttentionPiece& p) { return t < p.first_task; });
      const AttentionPiece* piece = &*std::prev(after);
      const std::size_t left = i - piece->first_task;
      const std::size_t n_blocks = (piece->q.rows() + per_block - 1) / per_block;
      const std::size_t first = (n_blocks - 1 - left / n_kv_heads) * per_block;
      const Task task{piece, left % n_kv_heads, first, std::min(per_block, piece->q.rows() - first)};
      if (!grouped.run(task, scratch)) failed.store(true);
    }
  });
  if (failed.load()) throw_bad_alloc();
}

}  // namespace qwen3guard::detail

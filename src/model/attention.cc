// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/model/attention.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include "qwen3guard/detail/util/parallel.hpp"

namespace qwen3guard::detail {
namespace {

/// Rows (queries times heads of a group) and keys of one block of scores: 32 KiB, inside a first-level cache
/// with room for the output rows.
constexpr std::size_t kBlockRows = 32;
constexpr std::size_t kBlockKeys = 256;
/// Fewer rows are dot products; the matrix product's packing does not pay for them.
constexpr std::size_t kMinGemmRows = 8;
/// Below this many multiplications waking threads costs more than it saves.
constexpr std::size_t kMinParallelWork = std::size_t{1} << 21;

std::size_t queries_per_block(std::size_t group) noexcept {
  return std::max<std::size_t>(1, kBlockRows / group);
}

/// One worker's scratch, cut into its arrays.
struct Block {
  float *q, *out;      // [rows, head_dim]
  float* scores;       // [rows, kBlockKeys]
  float *peak, *mass;  // [rows]: largest score so far; sum of exp(score - peak)

  static std::size_t floats(std::size_t rows, std::size_t head_dim) noexcept {
    return rows * (2 * head_dim + kBlockKeys + 2);
  }
  Block(float* scratch, std::size_t rows, std::size_t head_dim) noexcept
      : q(scratch),
        out(q + rows * head_dim),
        scores(out + rows * head_dim),
        peak(scores + rows * kBlockKeys),
        mass(peak + rows) {}
};

/// The queries [first, first + n) of one group of heads.
struct Task {
  std::size_t kv_head, first, n;
};

class GroupedAttention {
 public:
  GroupedAttention(Span2d<float> q, std::int32_t first_position, std::int32_t layer, const KvCache& cache,
                   const AttentionContext& context)
      : q_(q),
        first_position_(static_cast<std::size_t>(first_position)),
        layer_(layer),
        cache_(cache),
        kernels_(context.kernels),
        head_dim_(static_cast<std::size_t>(context.config.head_dim)),
        group_(static_cast<std::size_t>(context.config.n_heads / context.config.n_kv_heads)) {}

  /// False when memory for packing could not be had.
  bool run(const Task& task, float* scratch) const noexcept {
    const std::size_t rows = task.n * group_;
    const Block block(scratch, rows, head_dim_);
    gather(task, block);
    std::fill_n(block.out, rows * head_dim_, 0.0F);
    std::fill_n(block.peak, rows, -std::numeric_limits<float>::infinity());
    std::fill_n(block.mass, rows, 0.0F);
    const std::size_t n_keys = first_position_ + task.first + task.n;
    for (std::size_t key = 0; key < n_keys; key += kBlockKeys) {
      if (!add_keys(task, block, key, std::min(kBlockKeys, n_keys - key))) return false;
    }
    for (std::size_t r = 0; r < rows; ++r)
      kernels_.scale(block.out + r * head_dim_, head_dim_, 1.0F / block.mass[r]);
    scatter(task, block);
    return true;
  }

 private:
  [[nodiscard]] float* head_row(const Task& task, std::size_t query) const noexcept {
    return q_.row(task.first + query).data() + task.kv_head * group_ * head_dim_;
  }

  /// Row r of a block is head r % group of query r / group; scaled here once.
  void gather(const Task& task, const Block& block) const noexcept {
    const std::size_t n = group_ * head_dim_;
    const float scale = 1.0F / std::sqrt(static_cast<float>(head_dim_));
    for (std::size_t i = 0; i < task.n; ++i) {
      std::memcpy(block.q + i * n, head_row(task, i), n * sizeof(float));
      kernels_.scale(block.q + i * n, n, scale);
    }
  }

  void scatter(const Task& task, const Block& block) const noexcept {
    const std::size_t n = group_ * head_dim_;
    for (std::size_t i = 0; i < task.n; ++i)
      std::memcpy(head_row(task, i), block.out + i * n, n * sizeof(float));
  }

  bool add_keys(const Task& task, const Block& block, std::size_t first_key,
                std::size_t n_keys) const noexcept {
    const std::size_t rows = task.n * group_;
    const auto kv_head = static_cast<std::int32_t>(task.kv_head),
               token = static_cast<std::int32_t>(first_key);
    const float* keys = cache_.key(layer_, kv_head, token);
    const float* values = cache_.value(layer_, kv_head, token);
    const bool by_gemm = rows >= kMinGemmRows;
    if (by_gemm) {
      if (!kernels_.gemm_nt({.a = block.q,
                             .lda = head_dim_,
                             .b = keys,
                             .ldb = head_dim_,
                             .c = block.scores,
                             .ldc = kBlockKeys,
                             .m = rows,
                             .n = n_keys,
                             .k = head_dim_}))
        return false;
    } else {
      kernels_.dot_f32({.w = keys,
                        .x = block.q,
                        .ldx = head_dim_,
                        .y = block.scores,
                        .ldy = kBlockKeys,
                        .m = rows,
                        .n = n_keys,
                        .k = head_dim_});
    }
    for (std::size_t r = 0; r < rows; ++r) {
      const std::size_t position = first_position_ + task.first + r / group_;
      const std::size_t visible = position < first_key ? 0 : std::min(n_keys, position - first_key + 1);
      update_row(block, r, visible);
      float* p = block.scores + r * kBlockKeys;
      if (by_gemm) {
        std::fill(p + visible, p + n_keys, 0.0F);
      } else {
        kernels_.add_weighted_rows(block.out + r * head_dim_, p, values, visible, head_dim_);
      }
    }
    if (!by_gemm) return true;
    return kernels_.gemm_nn_add({.a = block.scores,
                                 .lda = kBlockKeys,
                                 .b = values,
                                 .ldb = head_dim_,
                                 .c = block.out,
                                 .ldc = head_dim_,
                                 .m = rows,
                                 .n = head_dim_,
                                 .k = n_keys});
  }

  /// Scores become weights relative to the largest score so far; what was summed before is scaled to match.
  void update_row(const Block& block, std::size_t r, std::size_t visible) const noexcept {
    if (visible == 0) return;
    float* scores = block.scores + r * kBlockKeys;
    const float peak = std::max(block.peak[r], kernels_.max(scores, visible));
    if (block.peak[r] < peak && block.mass[r] > 0.0F) {
      const float shrink = std::exp(block.peak[r] - peak);
      block.mass[r] *= shrink;
      kernels_.scale(block.out + r * head_dim_, head_dim_, shrink);
    }
    block.peak[r] = peak;
    block.mass[r] += kernels_.exp_sum(scores, visible, peak);
  }

  Span2d<float> q_;
  std::size_t first_position_;
  std::int32_t layer_;
  const KvCache& cache_;
  const KernelTable& kernels_;
  std::size_t head_dim_, group_;
};

}  // namespace

std::size_t attention_scratch_floats(const ModelConfig& config, int n_threads) noexcept {
  const auto group = static_cast<std::size_t>(config.n_heads / config.n_kv_heads);
  const std::size_t rows = queries_per_block(group) * group;
  return Block::floats(rows, static_cast<std::size_t>(config.head_dim)) * static_cast<std::size_t>(n_threads);
}

void attention(Span2d<float> q, std::int32_t first_position, std::int32_t layer, const KvCache& cache,
               const AttentionContext& context) {
  if (q.rows() == 0) return;
  const GroupedAttention grouped(q, first_position, layer, cache, context);
  const auto n_kv_heads = static_cast<std::size_t>(context.config.n_kv_heads);
  const std::size_t per_block =
      queries_per_block(static_cast<std::size_t>(context.config.n_heads) / n_kv_heads);
  const std::size_t n_blocks = (q.rows() + per_block - 1) / per_block;
  const std::size_t n_tasks = n_kv_heads * n_blocks;
  const std::size_t n_keys = static_cast<std::size_t>(first_position) + q.rows();
  const bool parallel = q.rows() * q.cols() * n_keys >= kMinParallelWork;
  const int n_threads = parallel ? context.n_threads : 1;
  const std::size_t n_workers = std::min(n_tasks, static_cast<std::size_t>(n_threads));
  const std::size_t worker_floats = attention_scratch_floats(context.config, 1);
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  parallel_for(n_workers, n_threads, [&](std::size_t worker) {
    float* scratch = context.scratch.data() + worker * worker_floats;
    for (std::size_t i = next.fetch_add(1); i < n_tasks; i = next.fetch_add(1)) {
      // The last queries see the most keys: they come first, so that no long task is left for the end.
      const std::size_t first = (n_blocks - 1 - i / n_kv_heads) * per_block;
      const Task task{.kv_head = i % n_kv_heads, .first = first, .n = std::min(per_block, q.rows() - first)};
      if (!grouped.run(task, scratch)) failed.store(true);
    }
  });
  if (failed.load()) throw std::bad_alloc();
}

}  // namespace qwen3guard::detail

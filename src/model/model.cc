// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/model/model.hpp"

#include <algorithm>
#include <utility>

#include "qwen3guard/detail/kernels/isa.hpp"
#include "qwen3guard/detail/model/decoder.hpp"
#include "qwen3guard/detail/model/rope.hpp"
#include "qwen3guard/detail/model/weights.hpp"
#include "qwen3guard/detail/util/parallel.hpp"
#include "qwen3guard/detail/util/try.hpp"

namespace qwen3guard::detail {

struct Model::Impl {
  ModelConfig config;
  Weights weights;
  Rope rope;
  const KernelTable* kernels;
  std::string isa;
  std::int32_t n_threads;
};

Model::Model(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Model::~Model() = default;

const ModelConfig& Model::config() const noexcept { return impl_->config; }
std::int64_t Model::n_parameters() const noexcept { return impl_->weights.n_parameters; }
std::int64_t Model::weight_bytes() const noexcept { return impl_->weights.n_bytes; }
const std::string& Model::weight_dtype() const noexcept { return impl_->weights.dtype; }
const std::string& Model::isa() const noexcept { return impl_->isa; }
std::int32_t Model::n_threads() const noexcept { return impl_->n_threads; }

Result<std::shared_ptr<const Model>> Model::load(const ModelFiles& files, const ModelOptions& options) {
  constexpr std::int32_t kMaxThreads = 1024;
  if (options.n_threads < 0 || options.n_threads > kMaxThreads) {
    return Error{ErrorCode::invalid_argument, "n_threads is " + std::to_string(options.n_threads) +
                                                  ", expected 0 to " + std::to_string(kMaxThreads)};
  }
  Q3G_ASSIGN(const KernelTable* kernels, select_kernels(options.isa));
  Q3G_ASSIGN(ModelConfig config, ModelConfig::load(files));
  Q3G_ASSIGN(Weights weights, Weights::load(files, config, *kernels));
  Rope rope(config.head_dim, config.rope_theta);
  const std::int32_t n_threads =
      options.n_threads > 0 ? options.n_threads : std::min(default_n_threads(), kMaxThreads);
  std::unique_ptr<Impl> impl(
      new Impl{std::move(config), std::move(weights), std::move(rope), kernels, kernels->name, n_threads});
  return std::shared_ptr<const Model>(new Model(std::move(impl)));
}

Status Model::forward(std::span<const TokenId> ids, KvCache& cache, Workspace& workspace,
                      Span2d<float> hidden) const {
  const ModelConfig& config = impl_->config;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= config.vocab_size) {
      return Error{ErrorCode::token_out_of_range, "token id " + std::to_string(ids[i]) + " at index " +
                                                      std::to_string(i) + " is not in [0, " +
                                                      std::to_string(config.vocab_size) + ")"};
    }
  }
  const auto room = static_cast<std::size_t>(cache.capacity_tokens() - cache.n_tokens());
  if (ids.size() > room) {
    return Error{ErrorCode::context_full,
                 std::to_string(ids.size()) + " tokens do not fit: " + std::to_string(cache.n_tokens()) +
                     " of " + std::to_string(cache.capacity_tokens()) + " are in use"};
  }
  if (hidden.rows() > ids.size() ||
      (hidden.rows() > 0 && hidden.cols() != static_cast<std::size_t>(config.hidden_size))) {
    return Error{ErrorCode::invalid_argument, "hidden is [" + std::to_string(hidden.rows()) + ", " +
                                                  std::to_string(hidden.cols()) + "], expected at most [" +
                                                  std::to_string(ids.size()) + ", " +
                                                  std::to_string(config.hidden_size) + "]"};
  }
  if (ids.empty()) return {};

  Decoder decoder(config, impl_->weights, impl_->rope, *impl_->kernels, impl_->n_threads, cache, workspace);
  decoder.reserve(ids.size());
  const std::size_t first_wanted = ids.size() - hidden.rows();
  for (std::size_t begin = 0; begin < ids.size(); begin += kChunkTokens) {
    const std::size_t n = std::min(kChunkTokens, ids.size() - begin);
    const std::size_t wanted_from = std::clamp(first_wanted, begin, begin + n);
    const std::size_t n_wanted = begin + n - wanted_from;
    const Span2d<float> out =
        n_wanted == 0 ? Span2d<float>() : hidden.sub_rows(wanted_from - first_wanted, n_wanted);
    decoder.run(ids.subspan(begin, n), cache.n_tokens() + static_cast<std::int32_t>(begin), out);
  }
  // Only now are the rows part of the cache: a throw above leaves it as it was.
  cache.advance(static_cast<std::int32_t>(ids.size()));
  return {};
}

void Model::lm_logits(Span2d<const float> hidden, Span2d<float> out, Workspace& workspace) const {
  workspace.linear.reserve_discard(linear_scratch_floats(hidden.cols(), impl_->n_threads));
  linear(out, hidden, impl_->weights.lm_head, {*impl_->kernels, impl_->n_threads, workspace.linear.span()});
}

void Model::lm_logits_for(std::span<const float> hidden, std::span<const TokenId> ids,
                          std::span<float> out) const {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    dot_rows(&out[i], 1, hidden.data(), hidden.size(), 1, impl_->weights.lm_head,
             static_cast<std::size_t>(ids[i]), 1, *impl_->kernels);
  }
}

void Model::guard_heads(HeadRole role, Span2d<const float> hidden, Span2d<float> risk, Span2d<float> category,
                        Workspace& workspace) const {
  const GuardHeadWeights& heads =
      role == HeadRole::response ? impl_->weights.response_heads : impl_->weights.query_heads;
  const auto n_inner = static_cast<std::size_t>(impl_->config.guard_inner_size);
  workspace.inner.reserve_discard(hidden.rows() * n_inner);
  workspace.linear.reserve_discard(linear_scratch_floats(std::max(hidden.cols(), n_inner), impl_->n_threads));
  const LinearContext context{*impl_->kernels, impl_->n_threads, workspace.linear.span()};
  const Span2d<float> inner(workspace.inner.data(), hidden.rows(), n_inner);
  linear(inner, hidden, heads.pre, context);
  for (std::size_t r = 0; r < inner.rows(); ++r) {
    float* row = inner.row(r).data();
    impl_->kernels->rms_norm(row, row, heads.norm.data(), n_inner, impl_->config.rms_norm_eps);
  }
  linear(risk, inner, heads.risk, context);
  linear(category, inner, heads.category, context);
}

}  // namespace qwen3guard::detail

// SPDX-License-Identifier: Apache-2.0
#include "model/model.hpp"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "kernels/isa.hpp"
#include "model/decoder.hpp"
#include "model/rope.hpp"
#include "model/weights.hpp"
#include "model/workspace.hpp"
#include "util/cpu_count.hpp"
#include "util/error.hpp"
#include "util/try.hpp"
#include "util/workers.hpp"

namespace qwen3guard::detail {

struct Model::Impl {
  ModelConfig config;
  Weights weights;
  Rope rope;
  const KernelTable* kernels;
  std::string isa;
  std::unique_ptr<Team> team;
  Memory memory;
};

Model::Model(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Model::~Model() = default;

const ModelConfig& Model::config() const noexcept { return impl_->config; }
const Weights& Model::weights() const noexcept { return impl_->weights; }
std::int64_t Model::n_parameters() const noexcept { return impl_->weights.n_parameters; }
std::int64_t Model::weight_bytes() const noexcept { return impl_->weights.n_bytes; }
const std::string& Model::weight_dtype() const noexcept { return impl_->weights.dtype; }
const std::string& Model::isa() const noexcept { return impl_->isa; }
std::int32_t Model::n_threads() const noexcept { return impl_->team->n_threads(); }

Result<std::shared_ptr<const Model>> Model::load(const Checkpoint& checkpoint, const ModelOptions& options) {
  Q3G_TRY(check_n_threads(options.n_threads));
  Q3G_ASSIGN(const KernelTable* kernels, select_kernels(options.isa));
  Q3G_ASSIGN(Weights weights, Weights::load(checkpoint, *kernels, {options.memory, options.verify}));
  ModelConfig config = checkpoint.config();
  Rope rope(config.head_dim, config.rope_theta);
  std::unique_ptr<Impl> impl(new Impl{std::move(config), std::move(weights), std::move(rope), kernels,
                                      kernels->name, std::make_unique<Team>(options.n_threads),
                                      options.memory});
  return std::shared_ptr<const Model>(new Model(std::move(impl)));
}

KvType Model::kv_type() const noexcept { return impl_->weights.kv_type(); }

KvCache Model::new_cache(std::size_t capacity_tokens) const {
  return {config(), capacity_tokens, kv_type(), memory()};
}

const Memory& Model::memory() const noexcept { return impl_->memory; }

Status Model::forward(std::span<const TokenId> ids, KvCache& cache, Workspace& workspace,
                      Span2d<float> hidden, const CancelFlag* cancel) const {
  const ForwardPart part{ids, &cache, hidden.rows()};
  return forward_batch({&part, 1}, workspace, hidden, cancel);
}

namespace {

Status check_part(const ForwardPart& part, const ModelConfig& config) {
  for (std::size_t i = 0; i < part.ids.size(); ++i) {
    if (part.ids[i] < 0 || part.ids[i] >= config.vocab_size) {
      return error(ErrorCode::token_out_of_range, "token id ", part.ids[i], " at index ", i,
                   " is not in [0, ", config.vocab_size, ")");
    }
  }
  const KvCache& cache = *part.cache;
  const std::size_t room = cache.capacity_tokens() - std::min(cache.capacity_tokens(), cache.n_tokens());
  if (part.ids.size() > room) {
    return error(ErrorCode::context_full, part.ids.size(), " tokens do not fit: ", cache.n_tokens(), " of ",
                 cache.capacity_tokens(), " are in use");
  }
  if (part.n_wanted > part.ids.size()) {
    return error(ErrorCode::invalid_argument, part.n_wanted, " hidden states of ", part.ids.size(),
                 " tokens are asked for");
  }
  return {};
}

Status check_batch(std::span<const ForwardPart> parts, const ModelConfig& config,
                   Span2d<const float> hidden) {
  std::size_t n_wanted = 0;
  std::vector<const KvCache*> caches;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Status status = check_part(parts[i], config);
    if (!status.ok()) {
      if (parts.size() == 1) return status;
      return error(status.error().code, "part ", i, ": ", status.error().detail);
    }
    n_wanted += parts[i].n_wanted;
    if (parts.size() > 1) caches.push_back(parts[i].cache);
  }
  std::sort(caches.begin(), caches.end(), std::less<>());
  if (std::adjacent_find(caches.begin(), caches.end()) != caches.end())
    return Error{ErrorCode::invalid_argument, "two parts of a batch have the same cache"};
  if (hidden.rows() != n_wanted || (n_wanted > 0 && hidden.cols() != config.hidden_size)) {
    return error(ErrorCode::invalid_argument, "hidden is [", hidden.rows(), ", ", hidden.cols(),
                 "], expected [", n_wanted, ", ", config.hidden_size, "]");
  }
  return {};
}

}  // namespace

Status Model::forward_batch(std::span<const ForwardPart> parts, Workspace& workspace, Span2d<float> hidden,
                            const CancelFlag* cancel) const {
  const ModelConfig& config = impl_->config;
  Q3G_TRY(check_batch(parts, config, hidden));
  std::size_t n_tokens = 0;
  for (const ForwardPart& part : parts) n_tokens += part.ids.size();
  if (n_tokens == 0) return {};
  const Team::Call call(*impl_->team);
  DecoderLayers decoder(config, impl_->weights, impl_->rope, *impl_->kernels, Workers(impl_->team.get()),
                        workspace);
  decoder.reserve(n_tokens);
  for (const ForwardPart& part : parts) part.cache->prepare(part.ids.size());
  // Chunks of up to kChunkTokens tokens, filled part after part; a long part goes on in the next chunk.
  std::vector<DecoderPiece>& pieces = workspace.chunk;
  std::size_t n_chunk = 0, n_chunk_wanted = 0, n_hidden = 0;
  pieces.clear();
  const auto run_chunk = [&]() -> Status {
    Q3G_TRY(decoder.run(
        pieces, n_chunk_wanted == 0 ? Span2d<float>() : hidden.sub_rows(n_hidden, n_chunk_wanted), cancel));
    n_hidden += n_chunk_wanted;
    n_chunk = n_chunk_wanted = 0;
    pieces.clear();
    return {};
  };
  for (const ForwardPart& part : parts) {
    const std::size_t first_wanted = part.ids.size() - part.n_wanted;
    for (std::size_t begin = 0; begin < part.ids.size();) {
      const std::size_t n = std::min(kChunkTokens - n_chunk, part.ids.size() - begin);
      const std::size_t n_wanted = begin + n - std::clamp(first_wanted, begin, begin + n);
      pieces.push_back({part.ids.subspan(begin, n), part.cache, part.cache->n_tokens() + begin, n_wanted});
      n_chunk += n;
      n_chunk_wanted += n_wanted;
      begin += n;
      if (n_chunk == kChunkTokens) Q3G_TRY(run_chunk());
    }
  }
  if (n_chunk > 0) Q3G_TRY(run_chunk());
  // Only now are the rows part of the caches: a throw or a stop above leaves them as they were.
  for (const ForwardPart& part : parts) part.cache->advance(part.ids.size());
  return {};
}

void Model::lm_logits(Span2d<const float> hidden, Span2d<float> out, Workspace& workspace) const {
  linear(out, hidden, impl_->weights.lm_head,
         {*impl_->kernels, Workers(impl_->team.get()), workspace.linear});
}

void Model::lm_logits_for(std::span<const float> hidden, std::span<const TokenId> ids,
                          std::span<float> out) const {
  // The rows as float32: hidden is not rounded for a packed head, as it is for the product with all of it.
  const WeightMatrix& head = impl_->weights.lm_head;
  std::vector<float> unpacked;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto row = static_cast<std::size_t>(ids[i]);
    if (const MatrixView* plain = head.plain()) {
      dot_rows(&out[i], 1, hidden.data(), hidden.size(), 1, *plain, row, 1, *impl_->kernels);
      continue;
    }
    unpacked.resize(hidden.size());
    read_row(unpacked, head, row, *impl_->kernels);
    const MatrixView one{.dtype = DType::f32, .data = unpacked.data(), .rows = 1, .cols = unpacked.size()};
    dot_rows(&out[i], 1, hidden.data(), hidden.size(), 1, one, 0, 1, *impl_->kernels);
  }
}

void Model::guard_heads(HeadRole role, Span2d<const float> hidden, Span2d<float> risk, Span2d<float> category,
                        Workspace& workspace) const {
  const GuardHeadWeights& heads =
      role == HeadRole::response ? impl_->weights.response_heads : impl_->weights.query_heads;
  const std::size_t n_inner = impl_->config.guard_inner_size;
  workspace.inner.reserve_discard(hidden.rows() * n_inner);
  const LinearContext context{*impl_->kernels, Workers(impl_->team.get()), workspace.linear};
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

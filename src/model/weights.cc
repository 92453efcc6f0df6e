// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/model/weights.hpp"

#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "model/tensor_source.hpp"
#include "qwen3guard/detail/util/try.hpp"

static_assert(std::endian::native == std::endian::little,
              "safetensors data is little-endian and used in place");

namespace qwen3guard::detail {
namespace {

std::optional<DType> parse_dtype(std::string_view name) noexcept {
  for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
    if (name == to_string(dtype)) return dtype;
  }
  return std::nullopt;
}

/// Fetches tensors by name into a Weights and keeps the sums. The first error sticks.
class Loader {
 public:
  Loader(const TensorSource& source, const KernelTable& kernels, Weights& out)
      : source_(source), kernels_(kernels), out_(out) {}

  /// The matrix `name`, [rows, cols].
  [[nodiscard]] Status matrix(const std::string& name, std::int32_t rows, std::int32_t cols,
                              MatrixView& view) {
    const std::uint64_t shape[] = {static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(cols)};
    Q3G_ASSIGN(view, checked(name, shape));
    return {};
  }

  /// The vector `name`, [n], widened.
  [[nodiscard]] Status norm(const std::string& name, std::int32_t n, NormWeight& weight) {
    const std::uint64_t shape[] = {static_cast<std::uint64_t>(n)};
    Q3G_ASSIGN(const MatrixView view, checked(name, shape));
    weight = NormWeight(view.cols);
    widen_row(weight.span(), view, 0, kernels_);
    return {};
  }

  /// "BF16+F32": the dtypes in use.
  [[nodiscard]] std::string dtype_names() const {
    std::string names;
    for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
      if (used_[static_cast<std::size_t>(dtype)])
        names += (names.empty() ? "" : "+") + std::string(to_string(dtype));
    }
    return names;
  }

 private:
  /// The tensor as a matrix whose rows are the first dimension (one row for a vector).
  [[nodiscard]] Result<MatrixView> checked(const std::string& name, std::span<const std::uint64_t> shape) {
    Q3G_ASSIGN(const auto found, source_.find(name));
    const auto bad = [&](const std::string& what) {
      return Error{ErrorCode::bad_checkpoint,
                   found.file->display_name() + ": tensor \"" + name + "\": " + what};
    };
    const auto dtype = parse_dtype(found.tensor->dtype);
    if (!dtype) return bad("has dtype " + found.tensor->dtype + ", expected BF16, F16 or F32");
    const std::vector<std::uint64_t>& stored = found.tensor->shape;
    if (!std::equal(stored.begin(), stored.end(), shape.begin(), shape.end()))
      return bad("has shape " + shape_text(stored) + ", expected " + shape_text(shape));

    const auto bytes = found.tensor->bytes;  // its length was checked when the file was opened
    MatrixView view{.dtype = *dtype,
                    .data = bytes.data(),
                    .rows = shape.size() == 1 ? 1 : static_cast<std::size_t>(shape[0]),
                    .cols = static_cast<std::size_t>(shape.back())};
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % size_bytes(*dtype) != 0) {
      AlignedBuffer<std::byte> copy(bytes.size());
      std::memcpy(copy.data(), bytes.data(), bytes.size());
      view.data = copy.data();
      out_.copies.push_back(std::move(copy));
    }
    used_[static_cast<std::size_t>(*dtype)] = true;
    out_.n_parameters += static_cast<std::int64_t>(view.rows * view.cols);
    out_.n_bytes += static_cast<std::int64_t>(bytes.size());
    return view;
  }

  const TensorSource& source_;
  const KernelTable& kernels_;
  Weights& out_;
  std::array<bool, 3> used_{};
};

Status load_layer(Loader& load, const ModelConfig& config, const std::string& prefix, LayerWeights& layer) {
  const std::int32_t h = config.hidden_size, m = config.intermediate_size;
  const std::int32_t q = config.n_heads * config.head_dim, kv = config.n_kv_heads * config.head_dim;
  Q3G_TRY(load.norm(prefix + "input_layernorm.weight", h, layer.input_norm));
  Q3G_TRY(load.matrix(prefix + "self_attn.q_proj.weight", q, h, layer.q_proj.plain));
  Q3G_TRY(load.matrix(prefix + "self_attn.k_proj.weight", kv, h, layer.k_proj.plain));
  Q3G_TRY(load.matrix(prefix + "self_attn.v_proj.weight", kv, h, layer.v_proj.plain));
  Q3G_TRY(load.norm(prefix + "self_attn.q_norm.weight", config.head_dim, layer.q_norm));
  Q3G_TRY(load.norm(prefix + "self_attn.k_norm.weight", config.head_dim, layer.k_norm));
  Q3G_TRY(load.matrix(prefix + "self_attn.o_proj.weight", h, q, layer.o_proj.plain));
  Q3G_TRY(load.norm(prefix + "post_attention_layernorm.weight", h, layer.post_attention_norm));
  Q3G_TRY(load.matrix(prefix + "mlp.gate_proj.weight", m, h, layer.gate_proj.plain));
  Q3G_TRY(load.matrix(prefix + "mlp.up_proj.weight", m, h, layer.up_proj.plain));
  return load.matrix(prefix + "mlp.down_proj.weight", h, m, layer.down_proj.plain);
}

Status load_heads(Loader& load, const ModelConfig& config, HeadRole role, GuardHeadWeights& heads) {
  const std::string prefix = role == HeadRole::query ? "query_" : "";
  const HeadLabels& labels = config.labels(role);
  const std::int32_t inner = config.guard_inner_size;
  Q3G_TRY(load.matrix(prefix + "risk_level_category_pre.weight", inner, config.hidden_size, heads.pre));
  Q3G_TRY(load.norm(prefix + "risk_level_category_layernorm.weight", inner, heads.norm));
  Q3G_TRY(load.matrix(prefix + "risk_level_head.weight", static_cast<std::int32_t>(labels.risk.size()), inner,
                      heads.risk));
  return load.matrix(prefix + "category_head.weight", static_cast<std::int32_t>(labels.category.size()),
                     inner, heads.category);
}

}  // namespace

Result<Weights> Weights::load(const ModelFiles& files, const ModelConfig& config,
                              const KernelTable& kernels) {
  Weights out;
  Q3G_ASSIGN(const TensorSource source, TensorSource::open(files));
  Loader load(source, kernels, out);
  Q3G_TRY(load.matrix("model.embed_tokens.weight", config.vocab_size, config.hidden_size, out.embed_tokens));
  for (std::int32_t i = 0; i < config.n_layers; ++i) {
    LayerWeights layer;
    Q3G_TRY(load_layer(load, config, "model.layers." + std::to_string(i) + ".", layer));
    out.layers.push_back(std::move(layer));
  }
  Q3G_TRY(load.norm("model.norm.weight", config.hidden_size, out.final_norm));
  if (config.architecture == Architecture::guard) {
    Q3G_TRY(load_heads(load, config, HeadRole::response, out.response_heads));
    Q3G_TRY(load_heads(load, config, HeadRole::query, out.query_heads));
  } else if (config.tie_word_embeddings) {
    out.lm_head = out.embed_tokens;  // a stored lm_head.weight is ignored, as in transformers
  } else {
    Q3G_TRY(load.matrix("lm_head.weight", config.vocab_size, config.hidden_size, out.lm_head));
  }
  out.dtype = load.dtype_names();
  for (const auto& file : source.files()) out.owners.push_back(file->owner());
  return out;
}

}  // namespace qwen3guard::detail

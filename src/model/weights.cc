// SPDX-License-Identifier: Apache-2.0
#include "model/weights.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

#include "model/check_weights.hpp"
#include "model/checkpoint/checkpoint.hpp"
#include "model/visit_weights.hpp"
#include "qwen3guard/quote.hpp"
#include "tensor/quantize.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

static_assert(std::endian::native == std::endian::little,
              "safetensors data is little-endian and used in place");

namespace qwen3guard::detail {
namespace {

std::optional<DType> parse_dtype(std::string_view name) noexcept {
  for (const DTypeInfo& info : kDTypes) {
    if (name == info.name) return info.id;
  }
  return std::nullopt;
}

/// Fetches tensors by name into a Weights and keeps the sums. The first error sticks.
class Loader {
 public:
  Loader(const Checkpoint& checkpoint, const KernelTable& kernels, bool verify, Weights& out)
      : checkpoint_(checkpoint),
        kernels_(kernels),
        extent_(verify ? CheckExtent::all : CheckExtent::sample),
        out_(out) {}

  /// The matrix `name`, [rows, cols], as it is stored. A head is small and decides: all of it is checked,
  /// and its checksum.
  [[nodiscard]] Status matrix(const std::string& name, std::size_t rows, std::size_t cols, MatrixView& view) {
    const std::uint64_t shape[] = {rows, cols};
    Q3G_ASSIGN(const CheckpointTensor found, checkpoint_.tensor(name));
    Q3G_ASSIGN(view, plain(found, shape));
    Q3G_TRY(checkpoint_.verify(name));
    return accept(found.values, check_matrix(view, CheckExtent::all, false));
  }

  /// The same with a row for each token; it may be packed.
  [[nodiscard]] Status vocabulary(const std::string& name, std::size_t rows, std::size_t cols,
                                  WeightMatrix& weight) {
    Q3G_TRY(large(name, rows, cols, true, weight));
    const PackedView* packed = weight.packed();
    // The embeddings come first; a head of its own is stored alike.
    if (embeddings_.empty()) {
      embeddings_ = packed == nullptr ? to_string(weight.plain()->dtype)
                                      : to_text({packed->shape.type, packed->shape.group});
    }
    return {};
  }

  /// A layer's matrix; it may be packed.
  [[nodiscard]] Status projection(const std::string& name, std::size_t rows, std::size_t cols,
                                  WeightMatrix& weight) {
    return large(name, rows, cols, false, weight);
  }

  /// The vector `name`, [n], widened. Its checksum is verified, as its bytes are read here anyway.
  [[nodiscard]] Status norm(const std::string& name, std::size_t n, NormWeight& weight) {
    const std::uint64_t shape[] = {n};
    Q3G_ASSIGN(const CheckpointTensor found, checkpoint_.tensor(name));
    Q3G_ASSIGN(const MatrixView view, plain(found, shape));
    Q3G_TRY(checkpoint_.verify(name));
    weight = NormWeight(view.cols);
    widen_row(weight.span(), view, 0, kernels_);
    return accept(found.values, check_norm(weight.span()));
  }

  /// "BF16+F32": the dtypes in use; how projections and embeddings are packed when the projections are.
  [[nodiscard]] std::string dtype_names() const {
    if (packed_) return to_text(*packed_, embeddings_);
    std::string names;
    for (const DTypeInfo& info : kDTypes) {
      if (used_[static_cast<std::size_t>(info.id)])
        names += (names.empty() ? "" : "+") + std::string(info.name);
    }
    return names;
  }

 private:
  /// A matrix that is too large to be read whole at every load.
  [[nodiscard]] Status large(const std::string& name, std::size_t rows, std::size_t cols, bool is_vocabulary,
                             WeightMatrix& weight) {
    Q3G_ASSIGN(const CheckpointTensor found, checkpoint_.tensor(name));
    if (!found.packed) {
      const std::uint64_t plain_shape[] = {rows, cols};
      Q3G_ASSIGN(const MatrixView view, plain(found, plain_shape));
      weight.stored = view;
      return accept(found.values, check_matrix(view, extent_, is_vocabulary));
    }
    PackedView view;
    // Fails for no size within the limits of ModelConfig.
    Q3G_ASSIGN(view.shape, packed_shape(found.packed->type, found.packed->group, rows, cols));
    const PackedShape& shape = view.shape;
    const std::uint64_t data_shape[] = {shape.n_panels(), shape.panel_bytes()};
    Q3G_ASSIGN(const auto data, checked(found.values, data_shape, "U8", 1));
    view.data = aligned(data, AlignedBuffer<std::byte>::kAlignmentBytes);
    if (shape.n_scales() > 0) {
      const std::uint64_t scales_shape[] = {shape.n_panels(), shape.n_groups(), kPanelRows};
      if (!found.scales) return bad(found.values, "is packed and has no scales");
      Q3G_ASSIGN(const auto scales, checked(*found.scales, scales_shape, "BF16", sizeof(std::uint16_t)));
      view.scales = static_cast<const std::uint16_t*>(aligned(scales, sizeof(std::uint16_t)));
    }
    weight.stored = view;
    keep(found);
    if (!is_vocabulary) packed_ = found.packed;
    out_.n_parameters += static_cast<std::int64_t>(shape.rows * shape.cols);
    return accept(found.values, check_packed(view, extent_, is_vocabulary));
  }

  /// Turns what a check found into an error.
  [[nodiscard]] static Status accept(const TensorPart& part, const std::optional<std::string>& fault) {
    if (!fault) return {};
    return bad(part, *fault);
  }

  template <class... Parts>
  [[nodiscard]] static Error bad(const TensorPart& part, const Parts&... what) {
    return error(ErrorCode::bad_checkpoint, part.file, ": tensor ", quote(part.name), ": ", what...);
  }

  /// The bytes of what is stored as it should be.
  [[nodiscard]] Result<std::span<const std::byte>> checked(const TensorPart& part,
                                                           std::span<const std::uint64_t> shape,
                                                           std::string_view dtype,
                                                           std::size_t element_bytes) {
    if (part.dtype != dtype) return bad(part, "has dtype ", printable(part.dtype), ", expected ", dtype);
    if (!std::equal(part.shape.begin(), part.shape.end(), shape.begin(), shape.end()))
      return bad(part, "has shape ", shape_text(part.shape), ", expected ", shape_text(shape));
    // Within the limits of ModelConfig no product overflows.
    std::uint64_t n_bytes = element_bytes;
    for (const std::uint64_t size : shape) n_bytes *= size;
    if (part.bytes.size() != n_bytes)
      return bad(part, "has ", part.bytes.size(), " bytes, expected ", n_bytes);
    out_.n_bytes += static_cast<std::int64_t>(part.bytes.size());
    return part.bytes;
  }

  /// The tensor as a matrix whose rows are the first dimension (one row for a vector).
  [[nodiscard]] Result<MatrixView> plain(const CheckpointTensor& found,
                                         std::span<const std::uint64_t> shape) {
    const TensorPart& part = found.values;
    if (found.packed) return bad(part, "is packed, expected plain rows");
    const auto dtype = parse_dtype(part.dtype);
    if (!dtype) return bad(part, "has dtype ", printable(part.dtype), ", expected BF16, F16 or F32");
    Q3G_ASSIGN(const auto bytes, checked(part, shape, part.dtype, size_bytes(*dtype)));
    const MatrixView view{.dtype = *dtype,
                          .data = aligned(bytes, size_bytes(*dtype)),
                          .rows = shape.size() == 1 ? 1 : static_cast<std::size_t>(shape[0]),
                          .cols = static_cast<std::size_t>(shape.back())};
    keep(found);
    used_[static_cast<std::size_t>(*dtype)] = true;
    out_.n_parameters += static_cast<std::int64_t>(view.rows * view.cols);
    return view;
  }

  /// Keeps the tensor's bytes alive. There are as many owners as files.
  void keep(const CheckpointTensor& found) {
    auto& owners = out_.owners;
    if (found.owner && std::find(owners.begin(), owners.end(), found.owner) == owners.end())
      owners.push_back(found.owner);
  }

  /// The bytes themselves, or an aligned copy.
  [[nodiscard]] const void* aligned(std::span<const std::byte> bytes, std::size_t alignment_bytes) {
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment_bytes == 0) return bytes.data();
    AlignedBuffer<std::byte> copy(bytes.size(), out_.memory);
    std::memcpy(copy.data(), bytes.data(), bytes.size());
    out_.copies.push_back(std::move(copy));
    return out_.copies.back().data();
  }

  const Checkpoint& checkpoint_;
  const KernelTable& kernels_;
  CheckExtent extent_;
  Weights& out_;
  std::optional<PackedInfo> packed_;             // of the projections, when there are packed ones
  std::string embeddings_;                       // how those are stored
  std::array<bool, std::size(kDTypes)> used_{};  // by DType
};

}  // namespace

Result<Weights> Weights::load(const Checkpoint& checkpoint, const KernelTable& kernels,
                              const WeightsOptions& options) {
  Weights out;
  out.memory = options.memory;
  if (options.verify) Q3G_TRY(checkpoint.verify_all(nullptr));
  const ModelConfig& config = checkpoint.config();
  Loader load(checkpoint, kernels, options.verify, out);
  const auto new_layer = [&](std::size_t) -> LayerWeights& { return out.layers.emplace_back(); };
  Q3G_TRY(visit_weights(load, config, out, new_layer));
  // A stored lm_head.weight of a tied checkpoint is ignored, as in transformers.
  if (config.architecture == Architecture::causal_lm && config.tie_word_embeddings)
    out.lm_head = out.embed_tokens;
  out.dtype = load.dtype_names();
  return out;
}

KvType Weights::kv_type() const noexcept {
  const PackedView* packed = layers.front().q_proj.packed();
  if (packed == nullptr) return KvType::f32;
  return weight_type(packed->shape.type).element == DType::f16 ? KvType::f16 : KvType::bf16;
}

}  // namespace qwen3guard::detail

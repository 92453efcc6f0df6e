// SPDX-License-Identifier: Apache-2.0
#include "model/weights.hpp"

#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "model/check_weights.hpp"
#include "model/packed_files.hpp"
#include "model/tensor_source.hpp"
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
  for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
    if (name == to_string(dtype)) return dtype;
  }
  return std::nullopt;
}

/// Fetches tensors by name into a Weights and keeps the sums. The first error sticks.
class Loader {
 public:
  Loader(const TensorSource& source, const KernelTable& kernels, const std::optional<PackedInfo>& packed,
         bool verify, Weights& out)
      : source_(source),
        kernels_(kernels),
        packed_(packed),
        extent_(verify ? CheckExtent::all : CheckExtent::sample),
        out_(out) {}

  /// The matrix `name`, [rows, cols], as it is stored. A head is small and decides: all of it is checked,
  /// and its checksum.
  [[nodiscard]] Status matrix(const std::string& name, std::size_t rows, std::size_t cols, MatrixView& view) {
    Q3G_TRY(read_matrix(name, rows, cols, view));
    if (packed_) Q3G_TRY(verify_tensor(*source_.files().front(), name));
    return accept(name, check_matrix(view, CheckExtent::all, false));
  }

  /// The same with a row for each token.
  [[nodiscard]] Status vocabulary(const std::string& name, std::size_t rows, std::size_t cols,
                                  MatrixView& view) {
    Q3G_TRY(read_matrix(name, rows, cols, view));
    return accept(name, check_matrix(view, extent_, true));
  }

  /// The same; a packed file may hold it packed.
  [[nodiscard]] Status projection(const std::string& name, std::size_t rows, std::size_t cols,
                                  WeightMatrix& weight) {
    weight.is_packed = packed_ && source_.find(name + std::string(kPackedSuffix)).ok();
    if (!weight.is_packed) {
      Q3G_TRY(read_matrix(name, rows, cols, weight.plain));
      return accept(name, check_matrix(weight.plain, extent_, false));
    }
    // Fails for no size that ModelConfig lets through.
    Q3G_ASSIGN(weight.packed.shape, packed_shape(packed_->type, packed_->group, rows, cols));
    const PackedShape& shape = weight.packed.shape;
    const std::uint64_t data_shape[] = {shape.n_panels(), shape.panel_bytes()};
    Q3G_ASSIGN(const auto data, checked(name + std::string(kPackedSuffix), data_shape, "U8"));
    weight.packed.data = aligned(data, AlignedBuffer<std::byte>::kAlignmentBytes);
    if (shape.n_scales() > 0) {
      const std::uint64_t scales_shape[] = {shape.n_panels(), shape.n_groups(), kPanelRows};
      Q3G_ASSIGN(const auto scales, checked(name + std::string(kScalesSuffix), scales_shape, "BF16"));
      weight.packed.scales = static_cast<const std::uint16_t*>(aligned(scales, sizeof(std::uint16_t)));
    }
    uses_packed_ = true;
    out_.n_parameters += static_cast<std::int64_t>(shape.rows * shape.cols);
    return accept(name + std::string(kPackedSuffix), check_packed(weight.packed, extent_));
  }

  /// The vector `name`, [n], widened. Its checksum is verified, as its bytes are read here anyway.
  [[nodiscard]] Status norm(const std::string& name, std::size_t n, NormWeight& weight) {
    const std::uint64_t shape[] = {n};
    Q3G_ASSIGN(const MatrixView view, plain(name, shape));
    if (packed_) Q3G_TRY(verify_tensor(*source_.files().front(), name));
    weight = NormWeight(view.cols);
    widen_row(weight.span(), view, 0, kernels_);
    return accept(name, check_norm(weight.span()));
  }

  /// "BF16+F32": the dtypes in use; how the projections are packed when they are.
  [[nodiscard]] std::string dtype_names() const {
    if (uses_packed_) return to_text(*packed_);
    std::string names;
    for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
      if (used_[static_cast<std::size_t>(dtype)])
        names += (names.empty() ? "" : "+") + std::string(to_string(dtype));
    }
    return names;
  }

 private:
  [[nodiscard]] Status read_matrix(const std::string& name, std::size_t rows, std::size_t cols,
                                   MatrixView& view) {
    const std::uint64_t shape[] = {rows, cols};
    Q3G_ASSIGN(view, plain(name, shape));
    return {};
  }

  /// Turns what a check found into an error.
  [[nodiscard]] Status accept(const std::string& name, const std::optional<std::string>& fault) const {
    if (!fault) return {};
    Q3G_ASSIGN(const auto found, source_.find(name));
    return bad(found, name, *fault);
  }

  template <class... Parts>
  [[nodiscard]] static Error bad(const TensorSource::Found& found, const std::string& name,
                                 const Parts&... what) {
    return error(ErrorCode::bad_checkpoint, found.file->display_name(), ": tensor ", quote(name), ": ",
                 what...);
  }

  /// The tensor's bytes, whose number was checked against dtype and shape when the file was opened.
  [[nodiscard]] Result<std::span<const std::byte>> checked(const std::string& name,
                                                           std::span<const std::uint64_t> shape,
                                                           std::string_view dtype) {
    Q3G_ASSIGN(const auto found, source_.find(name));
    if (found.tensor->dtype != dtype) {
      return bad(found, name, "has dtype ", printable(found.tensor->dtype), ", expected ", dtype);
    }
    const std::vector<std::uint64_t>& stored = found.tensor->shape;
    if (!std::equal(stored.begin(), stored.end(), shape.begin(), shape.end()))
      return bad(found, name, "has shape ", shape_text(stored), ", expected ", shape_text(shape));
    out_.n_bytes += static_cast<std::int64_t>(found.tensor->bytes.size());
    return found.tensor->bytes;
  }

  /// The tensor as a matrix whose rows are the first dimension (one row for a vector).
  [[nodiscard]] Result<MatrixView> plain(const std::string& name, std::span<const std::uint64_t> shape) {
    Q3G_ASSIGN(const auto found, source_.find(name));
    const auto dtype = parse_dtype(found.tensor->dtype);
    if (!dtype)
      return bad(found, name, "has dtype ", printable(found.tensor->dtype), ", expected BF16, F16 or F32");
    Q3G_ASSIGN(const auto bytes, checked(name, shape, found.tensor->dtype));
    const MatrixView view{.dtype = *dtype,
                          .data = aligned(bytes, size_bytes(*dtype)),
                          .rows = shape.size() == 1 ? 1 : static_cast<std::size_t>(shape[0]),
                          .cols = static_cast<std::size_t>(shape.back())};
    used_[static_cast<std::size_t>(*dtype)] = true;
    out_.n_parameters += static_cast<std::int64_t>(view.rows * view.cols);
    return view;
  }

  /// The bytes themselves, or an aligned copy.
  [[nodiscard]] const void* aligned(std::span<const std::byte> bytes, std::size_t alignment_bytes) {
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment_bytes == 0) return bytes.data();
    AlignedBuffer<std::byte> copy(bytes.size(), out_.memory);
    std::memcpy(copy.data(), bytes.data(), bytes.size());
    out_.copies.push_back(std::move(copy));
    return out_.copies.back().data();
  }

  const TensorSource& source_;
  const KernelTable& kernels_;
  const std::optional<PackedInfo>& packed_;
  CheckExtent extent_;
  Weights& out_;
  std::array<bool, 3> used_{};
  bool uses_packed_ = false;
};

}  // namespace

Result<Weights> Weights::load(const ModelFiles& files, const ModelConfig& config, const KernelTable& kernels,
                              const WeightsOptions& options) {
  Weights out;
  out.memory = options.memory;
  Q3G_ASSIGN(const TensorSource source, TensorSource::open(files));
  // A packed file is always a single one; a plain one may come in shards.
  const std::optional<PackedInfo>& packed = source.files().front()->packed_info();
  if (packed && options.verify) Q3G_TRY(verify_tensors(*source.files().front(), nullptr));
  Loader load(source, kernels, packed, options.verify, out);
  const auto new_layer = [&](std::size_t) -> LayerWeights& { return out.layers.emplace_back(); };
  Q3G_TRY(visit_weights(load, config, out, new_layer));
  // A stored lm_head.weight of a tied checkpoint is ignored, as in transformers.
  if (config.architecture == Architecture::causal_lm && config.tie_word_embeddings)
    out.lm_head = out.embed_tokens;
  out.dtype = load.dtype_names();
  for (const auto& file : source.files()) out.owners.push_back(file->owner());
  return out;
}

}  // namespace qwen3guard::detail

// SPDX-License-Identifier: Apache-2.0
#include "model/write_packed.hpp"

#include <optional>
#include <span>
#include <utility>

#include "kernels/isa.hpp"
#include "model/check_weights.hpp"
#include "model/packed_stream.hpp"
#include "model/visit_weights.hpp"
#include "qwen3guard/quote.hpp"
#include "tensor/quantize.hpp"
#include "util/error.hpp"
#include "util/output_file.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::uint64_t kBF16Bytes = 2;

template <class T>
struct Named {
  std::string name;
  const T* weight;
};

/// A matrix that is packed, and how.
struct ToPack {
  std::string name;
  const WeightMatrix* weight;
  PackedInfo info;
  bool is_vocabulary;
};

/// Lists the tensors of a checkpoint by what becomes of them.
class Collector {
 public:
  Collector(const Checkpoint& checkpoint, const WriteOptions& options)
      : info{options.info, {}}, checkpoint_(checkpoint), options_(options) {}

  std::vector<Named<NormWeight>> norms;
  std::vector<Named<MatrixView>> matrices;
  std::vector<ToPack> packed;
  PackedFileInfo info;

  [[nodiscard]] Status norm(const std::string& name, std::size_t, const NormWeight& weight) {
    norms.push_back({name, &weight});
    return {};
  }
  [[nodiscard]] Status matrix(const std::string& name, std::size_t, std::size_t, const MatrixView& weight) {
    matrices.push_back({name, &weight});
    return {};
  }
  [[nodiscard]] Status vocabulary(const std::string& name, std::size_t rows, std::size_t cols,
                                  const WeightMatrix& weight) {
    if (!options_.vocabulary) {
      if (weight.plain() == nullptr) return packed_otherwise(name, weight, "plain rows");
      return matrix(name, rows, cols, *weight.plain());
    }
    Q3G_TRY(check_source(name, weight, *options_.vocabulary));
    info.others.emplace(name, *options_.vocabulary);
    packed.push_back({name, &weight, *options_.vocabulary, true});
    return {};
  }
  [[nodiscard]] Status projection(const std::string& name, std::size_t, std::size_t,
                                  const WeightMatrix& weight) {
    Q3G_TRY(check_source(name, weight, options_.info));
    packed.push_back({name, &weight, options_.info, false});
    return {};
  }

 private:
  /// What is packed already is copied; another form would lose what was lost twice.
  [[nodiscard]] Status check_source(const std::string& name, const WeightMatrix& weight,
                                    const PackedInfo& wanted) const {
    const PackedView* const view = weight.packed();
    if (view == nullptr || (view->shape.type == wanted.type && view->shape.group == wanted.group)) return {};
    return packed_otherwise(name, weight, to_text(wanted));
  }
  [[nodiscard]] Error packed_otherwise(const std::string& name, const WeightMatrix& weight,
                                       std::string_view wanted) const {
    const PackedShape& shape = weight.packed()->shape;
    return error(ErrorCode::invalid_argument, checkpoint_.name(), ": is packed already: ", quote(name),
                 " as ", to_text(PackedInfo{shape.type, shape.group}), ", not as ", wanted);
  }

  const Checkpoint& checkpoint_;
  const WriteOptions& options_;
};

std::span<const std::byte> bytes_of(const MatrixView& w) noexcept {
  return {static_cast<const std::byte*>(w.data), w.rows * w.cols * size_bytes(w.dtype)};
}

/// Replacing a file that is being read would be no packed model but a lost one.
Status check_target(const Checkpoint& checkpoint, const std::string& path) {
  for (const std::string& source : checkpoint.paths()) {
    if (is_same_file(source, path)) {
      return error(ErrorCode::invalid_argument, printable(path),
                   ": is a file of the checkpoint that is to be packed");
    }
  }
  return {};
}

/// Announces one matrix's packed form.
Status announce(PackedStream& stream, const ToPack& item) {
  Q3G_ASSIGN(const PackedShape shape,
             packed_shape(item.info.type, item.info.group, item.weight->rows(), item.weight->cols()));
  stream.add(item.name + std::string(kPackedSuffix), "U8", {shape.n_panels(), shape.panel_bytes()},
             shape.data_bytes());
  if (shape.n_scales() > 0) {
    stream.add(item.name + std::string(kScalesSuffix), "BF16",
               {shape.n_panels(), shape.n_groups(), kPanelRows}, shape.n_scales() * kBF16Bytes);
  }
  return {};
}

/// Errors: bad_checkpoint, also for weights that no loader would take once they are packed.
Result<PackedMatrix> pack_matrix(const Checkpoint& checkpoint, const ToPack& item, int n_threads) {
  Result<PackedMatrix> packed = pack(
      *item.weight->plain(),
      {.type = item.info.type, .group = item.info.group, .n_threads = n_threads, .column_importance = {}},
      item.name);
  if (packed.ok() && check_packed(packed->view(), CheckExtent::all, item.is_vocabulary)) {
    packed = error(ErrorCode::bad_checkpoint, "tensor ", quote(item.name),
                   ": its weights, or those of some of its rows, are too small for ",
                   weight_type(item.info.type).name);
  }
  if (packed.ok()) return packed;
  Q3G_ASSIGN(const CheckpointTensor source, checkpoint.tensor(item.name));
  return error(packed.error().code, source.values.file, ": ", packed.error().detail);
}

/// All of write_packed() but the end: `finish(stream)`.
template <class Finish>
Result<WriteReport> write(const Checkpoint& checkpoint, const std::string& path, const WriteOptions& options,
                          const Finish& finish) {
  Q3G_TRY(packed_shape(options.info.type, options.info.group, 1, 1));
  if (options.vocabulary) Q3G_TRY(packed_shape(options.vocabulary->type, options.vocabulary->group, 1, 1));
  Q3G_ASSIGN(const KernelTable* kernels, select_kernels("scalar"));  // widens the norms, exactly
  Q3G_ASSIGN(const Weights weights, Weights::load(checkpoint, *kernels, {.verify = true}));
  Q3G_ASSIGN(const std::vector<NamedBlob> inner, checkpoint.description());
  Q3G_TRY(check_target(checkpoint, path));
  Collector tensors(checkpoint, options);
  Q3G_TRY(visit_weights(tensors, checkpoint.config(), weights,
                        [&](std::size_t i) -> const LayerWeights& { return weights.layers[i]; }));

  // What every load reads comes first, so that it lies together.
  PackedStream stream(tensors.info);
  for (const NamedBlob& file : inner) {
    const std::uint64_t n = file.blob.bytes.size();
    stream.add(std::string(kPackedFilePrefix) + file.name, "U8", {n}, n);
  }
  for (const ExtraTensor& extra : options.extra)
    stream.add(extra.name, "U8", {extra.bytes.size()}, extra.bytes.size());
  for (const auto& item : tensors.norms)
    stream.add(item.name, "F32", {item.weight->size()}, item.weight->size() * sizeof(float));
  for (const auto& item : tensors.matrices) {
    stream.add(item.name, to_string(item.weight->dtype), {item.weight->rows, item.weight->cols},
               bytes_of(*item.weight).size());
  }
  for (const ToPack& item : tensors.packed) Q3G_TRY(announce(stream, item));

  const auto n_total = static_cast<std::int64_t>(stream.file_bytes());
  const auto proceed = [&]() -> Status {
    if (!options.progress || options.progress(static_cast<std::int64_t>(stream.n_written()), n_total))
      return {};
    return error(ErrorCode::cancelled, printable(path), ": stopped before it was complete");
  };
  Q3G_TRY(stream.open(path, options.overwrite));
  for (const NamedBlob& file : inner) Q3G_TRY(stream.append(file.blob.bytes));
  for (const ExtraTensor& extra : options.extra) Q3G_TRY(stream.append(extra.bytes));
  for (const auto& item : tensors.norms) Q3G_TRY(stream.append(std::as_bytes(item.weight->span())));
  for (const auto& item : tensors.matrices) {
    Q3G_TRY(proceed());
    Q3G_TRY(stream.append(bytes_of(*item.weight)));
  }
  for (const ToPack& item : tensors.packed) {
    Q3G_TRY(proceed());
    if (const PackedView* const view = item.weight->packed()) {
      const auto* const data = static_cast<const std::byte*>(view->data);
      Q3G_TRY(stream.append({data, view->shape.data_bytes()}));
      Q3G_TRY(stream.append(std::as_bytes(std::span(view->scales, view->shape.n_scales()))));
      continue;
    }
    Q3G_ASSIGN(const PackedMatrix packed, pack_matrix(checkpoint, item, options.n_threads));
    Q3G_TRY(stream.append(packed.data.span()));
    Q3G_TRY(stream.append(std::as_bytes(packed.scales.span())));
  }
  Q3G_TRY(proceed());
  Q3G_TRY(finish(stream));
  const std::string embeddings =
      options.vocabulary ? to_text(*options.vocabulary) : to_string(weights.embed_tokens.plain()->dtype);
  return WriteReport{.source_bytes = weights.n_bytes,
                     .file_bytes = n_total,
                     .weight_dtype = to_text(options.info, embeddings)};
}

}  // namespace

Result<WriteReport> write_packed(const Checkpoint& checkpoint, const std::string& path,
                                 const WriteOptions& options) {
  return write(checkpoint, path, options, [](PackedStream& stream) { return stream.finish(); });
}

Result<OutputFile> write_packed_temporary(const Checkpoint& checkpoint, const std::string& path,
                                          const WriteOptions& options) {
  std::optional<OutputFile> out;
  Q3G_TRY(write(checkpoint, path, options, [&](PackedStream& stream) -> Status {
    Q3G_ASSIGN(out, stream.finish_temporary());
    return {};
  }));
  return *std::move(out);
}

}  // namespace qwen3guard::detail

// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/quantize.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "embedded/embedded_models.hpp"
#include "guard/gen/prompt_prefix.hpp"
#include "model/checkpoint/open_checkpoint.hpp"
#include "model/checkpoint/packed_file.hpp"
#include "model/model.hpp"
#include "model/workspace.hpp"
#include "model/write_packed.hpp"
#include "tensor/weight_types.hpp"
#include "tokenizer/snapshot.hpp"
#include "tokenizer/tokenizer_files.hpp"
#include "util/cpu_count.hpp"
#include "util/error.hpp"
#include "util/guarded.hpp"
#include "util/try.hpp"

namespace qwen3guard {
namespace {

/// Errors: invalid_argument.
Result<detail::PackedInfo> packed_info(const QuantizeOptions& options) {
  const detail::WeightType* type = detail::find_weight_type(options.type);
  if (type == nullptr) return Error{ErrorCode::invalid_argument, "options.type: no value of PackedWeights"};
  if (options.group_size < -1) {
    return detail::error(ErrorCode::invalid_argument, "options.group_size: ", options.group_size,
                         "; expected -1 (automatic), 0 (one scale per row), 32, 64 or 128");
  }
  const std::size_t group =
      options.group_size < 0 ? type->default_group : static_cast<std::size_t>(options.group_size);
  return detail::PackedInfo{options.type, group};
}

/// How the tables with a row for each token are packed; empty: not at all. Errors: invalid_argument.
Result<std::optional<detail::PackedInfo>> packed_vocabulary(const QuantizeOptions& options) {
  static constexpr detail::PackedInfo kInt8{PackedWeights::int8, 0};
  switch (options.embeddings) {
    case PackedEmbeddings::automatic:
      // Where the matrices' own error hides that of the tables.
      if (detail::weight_type(options.type).has_scales()) return std::optional(kInt8);
      return std::optional<detail::PackedInfo>();
    case PackedEmbeddings::int8:
      return std::optional(kInt8);
    case PackedEmbeddings::plain:
      return std::optional<detail::PackedInfo>();
  }
  return Error{ErrorCode::invalid_argument, "options.embeddings: no value of PackedEmbeddings"};
}

/// What the packed model computes for the constant parts of its prompts: it is packed once without them, to a
/// file beside the output, and run.
Result<std::vector<detail::ExtraTensor>> kept_prefixes(const detail::Checkpoint& checkpoint,
                                                       const std::string& out_file,
                                                       const detail::WriteOptions& options,
                                                       const CancelFlag* cancel) {
  if (checkpoint.config().architecture != detail::Architecture::causal_lm) {
    return Error{
        ErrorCode::invalid_argument,
        "options.keep_prefix: a Stream checkpoint has no constant prompt; only Gen checkpoints have"};
  }
  Q3G_ASSIGN(const detail::OutputFile temporary,
             detail::write_packed_temporary(checkpoint, out_file, options));
  Q3G_ASSIGN(const auto packed, detail::open_checkpoint(temporary.partial_path()));
  Q3G_ASSIGN(const auto model, detail::Model::load(*packed, {options.n_threads, ""}));
  Q3G_ASSIGN(const Tokenizer tokenizer, detail::load_tokenizer(packed->tokenizer_files()));
  std::vector<detail::ExtraTensor> extra;
  detail::Workspace workspace;
  for (const Role role : {Role::user, Role::assistant}) {
    Q3G_ASSIGN(const auto kept, detail::compute_prompt_prefix(*model, tokenizer, role, workspace, cancel));
    extra.push_back(
        {std::string(detail::kPackedFilePrefix) + detail::prefix_file_name(role), write_prefix(kept)});
  }
  return extra;
}

Result<QuantizeReport> quantize_checkpoint(const detail::Checkpoint& checkpoint, std::string_view out_file,
                                           const QuantizeOptions& options) {
  Q3G_TRY(detail::check_n_threads(options.n_threads));
  const auto start = std::chrono::steady_clock::now();
  detail::WriteOptions write;
  Q3G_ASSIGN(write.info, packed_info(options));
  Q3G_ASSIGN(write.vocabulary, packed_vocabulary(options));
  write.overwrite = options.overwrite;
  write.n_threads = options.n_threads;
  const CancelFlag* const cancel = options.cancel.get();
  write.progress = [&](std::int64_t n_done_bytes, std::int64_t n_total_bytes) {
    if (cancel != nullptr && cancel->is_cancelled()) return false;
    return !options.progress || options.progress(n_done_bytes, n_total_bytes);
  };
  const detail::ModelFiles& tokenizer_files = checkpoint.tokenizer_files();
  if (detail::has_tokenizer(tokenizer_files)) {
    Q3G_ASSIGN(const Tokenizer tokenizer, detail::load_tokenizer(tokenizer_files));
    Q3G_ASSIGN(auto snapshot, detail::write_snapshot(tokenizer));
    write.extra.push_back(
        {std::string(detail::kPackedFilePrefix) + detail::kSnapshotFile, std::move(snapshot)});
  }
  if (options.keep_prefix) {
    Q3G_ASSIGN(auto prefixes, kept_prefixes(checkpoint, std::string(out_file), write, cancel));
    std::move(prefixes.begin(), prefixes.end(), std::back_inserter(write.extra));
  }
  Q3G_ASSIGN(auto report, detail::write_packed(checkpoint, std::string(out_file), write));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  return QuantizeReport{.source_bytes = report.source_bytes,
                        .file_bytes = report.file_bytes,
                        .weight_dtype = std::move(report.weight_dtype),
                        .seconds = seconds.count()};
}

}  // namespace

const char* to_string(PackedWeights type) noexcept {
  const detail::WeightType* found = detail::find_weight_type(type);
  return found == nullptr ? "unknown" : found->name;
}

const char* to_string(PackedEmbeddings embeddings) noexcept {
  switch (embeddings) {
    case PackedEmbeddings::automatic:
      return "automatic";
    case PackedEmbeddings::int8:
      return "int8";
    case PackedEmbeddings::plain:
      return "plain";
  }
  return "unknown";
}

std::span<const PackedWeights> all_packed_weights() noexcept {
  static constexpr auto kAll = [] {
    std::array<PackedWeights, std::size(detail::kWeightTypes)> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = detail::kWeightTypes[i].id;
    return all;
  }();
  return kAll;
}

Result<QuantizeReport> quantize(std::string_view model_dir, std::string_view out_file,
                                const QuantizeOptions& options) {
  return detail::guarded("quantize", [&]() -> Result<QuantizeReport> {
    Q3G_ASSIGN(const auto checkpoint, detail::open_checkpoint(std::string(model_dir)));
    return quantize_checkpoint(*checkpoint, out_file, options);
  });
}

Result<QuantizeReport> quantize_embedded(std::string_view name, std::string_view out_file,
                                         const QuantizeOptions& options) {
  return detail::guarded("quantize_embedded", [&]() -> Result<QuantizeReport> {
    Q3G_ASSIGN(const auto checkpoint, detail::open_embedded(name));
    return quantize_checkpoint(*checkpoint, out_file, options);
  });
}

Status verify_packed(std::string_view file, const CancelFlag* cancel) {
  return detail::guarded("verify_packed",
                         [&]() -> Status { return detail::verify_packed_file(std::string(file), cancel); });
}

}  // namespace qwen3guard

// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_QUANTIZE_HPP
#define QWEN3GUARD_QUANTIZE_HPP

/// @file
/// Packing a checkpoint into one file.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "qwen3guard/cancel.hpp"
#include "qwen3guard/packed_weights.hpp"
#include "qwen3guard/status.hpp"

namespace qwen3guard {

/// "bf16", "int8", "int4" or "fp16". Static storage; "unknown" for values out of range.
[[nodiscard]] const char* to_string(PackedWeights type) noexcept;

/// Every value of PackedWeights, in order. Static storage.
[[nodiscard]] std::span<const PackedWeights> all_packed_weights() noexcept;

/// "automatic", "int8" or "plain". Static storage; "unknown" for values out of range.
[[nodiscard]] const char* to_string(PackedEmbeddings embeddings) noexcept;

/// Options of quantize().
struct QuantizeOptions {
  PackedWeights type = PackedWeights::int8;  ///< of the layers' matrices
  /// Columns that share a scale. int8: 32, 64, 128, or 0 for one scale per row; int4: 32. -1: 64 for int8, 32
  /// for int4, none for bf16 and fp16.
  std::int32_t group_size = -1;
  PackedEmbeddings embeddings = PackedEmbeddings::automatic;  ///< of the tables with a row for each token
  /// Replace an existing output file; a symbolic link itself, and not what it leads to.
  bool overwrite = false;
  /// Gen checkpoints: also store what the model computes for the constant part of its prompt, so that the
  /// first verdict after loading is as fast as the later ones. Takes some 60 MB in a file of the 0.6B size.
  bool keep_prefix = false;
  std::int32_t n_threads = 0;  ///< 0: all cores. The file is the same for any number
  /// Called from the calling thread, before each matrix, with the bytes written so far and those there will
  /// be; returning false stops with the error `cancelled`. May be empty.
  std::function<bool(std::int64_t n_done_bytes, std::int64_t n_total_bytes)> progress;
  /// Stops the call from another thread, at the next matrix. May be null.
  std::shared_ptr<const CancelFlag> cancel = nullptr;
};

/// What quantize() did.
struct QuantizeReport {
  std::int64_t source_bytes = 0;  ///< weights of the checkpoint
  std::int64_t file_bytes = 0;    ///< the packed file, which holds the tokenizer and config too
  std::string weight_dtype;       ///< "int8 (group 64), embeddings int8 (per row)"
  double seconds = 0;             ///< from the call to the finished file
};

/// Packs the checkpoint folder `model_dir` into the one file `out_file`, which Guard::load takes like a
/// folder. Needs memory for one matrix. What is packed already is copied, when the options ask for the same
/// form. The file appears complete or, on any error, not at all. Errors: those of Guard::load for the
/// checkpoint; invalid_argument (group size; an output that is a file of the checkpoint; an input that is
/// packed in another form); io_error (output exists and `overwrite` is false; disk full ...); bad_checkpoint
/// (a weight that is not finite, or too large for the type); cancelled; out_of_memory. What `progress` throws
/// ends in `internal`. Format: docs/packed_format.md.
[[nodiscard]] Result<QuantizeReport> quantize(std::string_view model_dir, std::string_view out_file,
                                              const QuantizeOptions& options = {});

/// The same for a model in the library. Errors: also file_not_found (no such name).
[[nodiscard]] Result<QuantizeReport> quantize_embedded(std::string_view name, std::string_view out_file,
                                                       const QuantizeOptions& options = {});

/// Reads the whole packed file and compares every checksum; loading compares those of what it reads, or all
/// with GuardOptions::verify.
/// Errors: file_not_found; io_error; unsupported_model (another version); bad_checkpoint (no packed file; a
/// tensor is damaged: the first by name); cancelled: `cancel`, which is borrowed for the call and looked at
/// before each tensor, is up. It may be null.
[[nodiscard]] Status verify_packed(std::string_view file, const CancelFlag* cancel = nullptr);

}  // namespace qwen3guard

#endif  // QWEN3GUARD_QUANTIZE_HPP

// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_CHECK_WEIGHTS_HPP
#define QWEN3GUARD_SRC_MODEL_CHECK_WEIGHTS_HPP

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "tensor/packed_matrix.hpp"
#include "tensor/tensor_view.hpp"

/// Finds weights that no model has: what an interrupted download or a damaged disk leaves. A file of the
/// right length with zeros in it is well-formed, and a model of zeros says Safe.
///
/// The rows of a matrix are cut into up to eight regions of the same size (at least 16 rows each); one that
/// is all zeros is refused. Single rows may be zero: unused entries of a vocabulary are, and rows of pruned
/// models. The last quarter of a vocabulary may be zero in any case, where padding lies. A value that is not
/// finite is refused. docs/checkpoint_formats.md says the same to users.
namespace qwen3guard::detail {

/// How much of a matrix is looked at.
enum class CheckExtent {
  sample,  ///< the beginning of a row of each region: a few pages of a mapped file
  all,     ///< everything
};

/// All return what is wrong, to stand behind the tensor's name; nothing when the weights may be used. @{
[[nodiscard]] std::optional<std::string> check_norm(std::span<const float> weight);
/// is_vocabulary: a row for each token.
[[nodiscard]] std::optional<std::string> check_matrix(const MatrixView& weight, CheckExtent extent,
                                                      bool is_vocabulary);
[[nodiscard]] std::optional<std::string> check_packed(const PackedView& weight, CheckExtent extent,
                                                      bool is_vocabulary);  /// @}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_CHECK_WEIGHTS_HPP

// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TENSOR_LINEAR_PACKED_HPP
#define QWEN3GUARD_SRC_TENSOR_LINEAR_PACKED_HPP

#include <span>

#include "tensor/linear.hpp"

namespace qwen3guard::detail {

/// linear() for packed weights; all products have the same type, columns and group.
void linear_packed(std::span<const Product> products, Span2d<const float> x, const LinearContext& context);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TENSOR_LINEAR_PACKED_HPP

// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_TRY_HPP
#define QWEN3GUARD_SRC_UTIL_TRY_HPP

#include <utility>

#include "qwen3guard/status.hpp"

// Early return on error. Used in .cc files and internal headers only; undefined nowhere else.
#define Q3G_CONCAT_INNER(a, b) a##b
#define Q3G_CONCAT(a, b) Q3G_CONCAT_INNER(a, b)

/// Returns the error of a Status expression from the enclosing function.
#define Q3G_TRY(expr)                               \
  do {                                              \
    if (auto q3g_tried = (expr); !q3g_tried.ok()) { \
      return std::move(q3g_tried).error();          \
    }                                               \
  } while (false)

/// Q3G_ASSIGN(auto x, expr): declares or assigns x from a Result, or returns its error.
#define Q3G_ASSIGN(lhs, expr) Q3G_ASSIGN_IMPL(Q3G_CONCAT(q3g_result_, __LINE__), lhs, expr)
#define Q3G_ASSIGN_IMPL(tmp, lhs, expr)         \
  auto tmp = (expr);                            \
  if (!tmp.ok()) return std::move(tmp).error(); \
  lhs = *std::move(tmp)

#endif  // QWEN3GUARD_SRC_UTIL_TRY_HPP

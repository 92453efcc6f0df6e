// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_ERROR_HPP
#define QWEN3GUARD_SRC_UTIL_ERROR_HPP

#include "qwen3guard/status.hpp"
#include "util/concat.hpp"

namespace qwen3guard::detail {

/// An Error whose sentence is put together: `return error(ErrorCode::context_full, n, " tokens do not
/// fit");`. Text from outside goes through quote() or printable(). Throws std::bad_alloc.
template <class... Parts>
[[nodiscard]] Error error(ErrorCode code, const Parts&... parts) {
  return {code, concat(parts...)};
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_ERROR_HPP

// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_WIRE_ESCAPED_HPP
#define QWEN3GUARD_SRC_WIRE_ESCAPED_HPP

#include <limits>
#include <string>
#include <string_view>

#include "qwen3guard/quote.hpp"

namespace qwen3guard::wire {

/// Text from outside as one line that a terminal shows and does not obey (quote.hpp), all of it.
[[nodiscard]] inline std::string escaped(std::string_view text) {
  return printable(text, std::numeric_limits<std::size_t>::max());
}

}  // namespace qwen3guard::wire

#endif  // QWEN3GUARD_SRC_WIRE_ESCAPED_HPP

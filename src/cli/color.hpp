// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_COLOR_HPP
#define QWEN3GUARD_SRC_CLI_COLOR_HPP

#include <cstdio>
#include <string_view>

#include "qwen3guard/verdict.hpp"

namespace qwen3guard::cli {

/// True when the stream is a terminal that wants colour (NO_COLOR is unset, TERM is not "dumb").
[[nodiscard]] bool wants_color(std::FILE* stream);

/// ANSI colour of a severity; "" without colour.
[[nodiscard]] std::string_view color_of(Severity severity, bool color);
[[nodiscard]] std::string_view color_off(bool color);
/// Bold, until color_off().
[[nodiscard]] std::string_view bold_on(bool color);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_COLOR_HPP

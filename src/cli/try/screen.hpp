// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_TRY_SCREEN_HPP
#define QWEN3GUARD_SRC_CLI_TRY_SCREEN_HPP

#include <functional>
#include <string_view>

namespace qwen3guard::cli {

/// Where `try` shows what it has to say. Text from outside is escaped by whoever writes it.
struct Screen {
  std::function<void(std::string_view text)> write;
  bool color = false;
};

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_TRY_SCREEN_HPP

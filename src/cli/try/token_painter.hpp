// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_TRY_TOKEN_PAINTER_HPP
#define QWEN3GUARD_SRC_CLI_TRY_TOKEN_PAINTER_HPP

#include <string>
#include <string_view>

#include "cli/try/screen.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::cli {

/// A text whose parts are shown by what was said of them: in colours, or without colour in brackets,
/// "[U: text]", around neighbours of one severity; what is Safe stands alone.
class TokenPainter {
 public:
  /// `screen` is borrowed.
  explicit TokenPainter(const Screen& screen) : screen_(screen) {}

  /// The next token and the characters that it completes, which are escaped. One that completes none counts
  /// for those of the token behind it: the worse of the two is shown, and Safe only when both are.
  void paint(Severity severity, std::string_view text);
  /// A stroke: from here on an answer would be blocked.
  void mark_block();
  /// To be called at the end: closes what is open.
  void finish();

 private:
  void close();

  const Screen& screen_;
  Severity open_ = Severity::safe;     // whose bracket is open
  Severity waiting_ = Severity::safe;  // of tokens that have completed no character yet
};

/// How the four are shown, on one line.
[[nodiscard]] std::string legend(const Screen& screen);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_TRY_TOKEN_PAINTER_HPP

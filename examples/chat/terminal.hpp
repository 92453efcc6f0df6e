// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_EXAMPLES_CHAT_TERMINAL_HPP
#define QWEN3GUARD_EXAMPLES_CHAT_TERMINAL_HPP

#include <qwen3guard/qwen3guard.hpp>
#include <string_view>

#include "guarded_chat.hpp"

namespace chat {

/// What a person sees: answers in the colour of their verdicts, a line of figures behind each.
class Terminal {
 public:
  explicit Terminal(bool color) : color_(color) {}
  /// True when standard output is a terminal that wants colour (NO_COLOR is unset, TERM is not "dumb").
  [[nodiscard]] static bool wants_color();

  void ask() const;
  void echo(std::string_view prompt) const;
  void show(std::string_view text, const qwen3guard::TokenVerdict& verdict) const;
  /// Says so, and shows what stays of the answer again.
  void take_back(std::string_view kept) const;
  void figures(const Outcome& outcome) const;

 private:
  bool color_;
};

}  // namespace chat

#endif  // QWEN3GUARD_EXAMPLES_CHAT_TERMINAL_HPP

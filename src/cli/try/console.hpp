// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_TRY_CONSOLE_HPP
#define QWEN3GUARD_SRC_CLI_TRY_CONSOLE_HPP

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "qwen3guard/cancel.hpp"

namespace qwen3guard::cli {

/// The terminal at which a person types, in its own line mode. While it lives, Ctrl-C ends read_line() and
/// nothing else; at any other time it raises the flag, and a second one ends the process with
/// kExitInterrupted. Who tells the person of it takes the flag down; if nobody has, the next read_line() is
/// interrupted. One at a time.
class Console {
 public:
  enum class Event {
    line,       ///< one was typed
    cut_line,   ///< so long that the terminal may have dropped its end
    interrupt,  ///< Ctrl-C; the terminal has dropped what was typed
    end,        ///< Ctrl-D, or the terminal is gone
  };

  /// True when standard input and output are both a terminal.
  [[nodiscard]] static bool is_there();
  /// Throws UsageError when there is no terminal, or the system refuses.
  explicit Console(std::shared_ptr<CancelFlag> cancel);
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  ~Console();

  /// Escape sequences are obeyed.
  [[nodiscard]] bool has_escapes() const noexcept { return has_escapes_; }
  /// The longest line that is not taken for one that was cut, in bytes.
  [[nodiscard]] static std::size_t longest_line_bytes() noexcept;
  /// Shows the prompt and waits for a line, which is given without its end. From when the prompt can be seen,
  /// Ctrl-C is for it. Takes the flag down. Throws std::bad_alloc.
  [[nodiscard]] Event read_line(std::string_view prompt, std::string& line);

 private:
  std::shared_ptr<CancelFlag> cancel_;
  std::string pending_;  // typed, and no whole line yet
  bool has_escapes_ = true, has_ended_ = false;
};

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_TRY_CONSOLE_HPP

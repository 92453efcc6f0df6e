// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_EXAMPLES_CHAT_GUARDED_CHAT_HPP
#define QWEN3GUARD_EXAMPLES_CHAT_GUARDED_CHAT_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host.hpp"

namespace chat {

/// How the guard stands between the host and the user. The defaults are those of real-time intervention in
/// arXiv:2510.14276 (CARE): 40 tokens are held back; what is flagged is rolled back and tried again, at most
/// 5 times.
struct Settings {
  std::size_t buffer_tokens = 40;
  int max_retries = 5;
  qwen3guard::Policy policy;
};

/// What an exchange came to.
struct Outcome {
  bool prompt_was_refused = false;
  bool gave_up = false;            ///< every try was flagged
  std::string shown;               ///< the answer as the user saw it
  std::size_t n_shown_tokens = 0;  ///< of the guard
  std::size_t n_discarded_tokens =
      0;                          ///< written by the host, flagged, and never shown: what the user waited for
  std::size_t n_wait_tokens = 0;  ///< written before the first one was shown, discarded ones included
  int n_retries = 0;
  double guard_ms = 0;
  qwen3guard::TokenVerdict prompt;
};

/// A conversation between a user and a host model, guarded at both ends. No input or output of its own.
class GuardedChat {
 public:
  /// Text released to the user, with the verdict of the token that it belongs to.
  using Show = std::function<void(std::string_view text, const qwen3guard::TokenVerdict& verdict)>;

  static constexpr std::string_view kRefusal = "I would rather not talk about that.";
  static constexpr std::string_view kGaveUp = " [The rest of the answer was withheld.]";

  /// Borrows both for its life. Throws qwen3guard::Exception.
  GuardedChat(const qwen3guard::Guard& guard, Host& host, const Settings& settings);

  /// Judges the prompt, and when it passes lets the host answer. Throws qwen3guard::Exception.
  Outcome say(const std::string& prompt, const Show& show);

  [[nodiscard]] const std::vector<qwen3guard::Message>& messages() const noexcept { return messages_; }
  [[nodiscard]] const qwen3guard::StreamSession& session() const noexcept { return session_; }

 private:
  bool answer(Outcome& outcome, const Show& show);
  void start_over();
  void release(Outcome& outcome, const Show& show, std::size_t n_tokens);

  Host& host_;
  Settings settings_;
  qwen3guard::StreamSession session_;
  std::vector<qwen3guard::Message> messages_;
  std::string text_;                     // the answer so far, shown or not
  std::vector<std::size_t> piece_ends_;  // in text_
  std::vector<qwen3guard::TokenVerdict> verdicts_;
};

}  // namespace chat

#endif  // QWEN3GUARD_EXAMPLES_CHAT_GUARDED_CHAT_HPP

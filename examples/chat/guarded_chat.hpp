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
  std::int32_t buffer_tokens = 40, max_retries = 5;
  qwen3guard::Policy policy;
};

/// What an exchange came to.
struct Outcome {
  bool prompt_was_refused = false;
  bool gave_up = false;             ///< the rest was withheld: every try was flagged
  std::string shown;                ///< the answer as the user saw it
  qwen3guard::HoldBackStats stats;  ///< tokens are the guard's
  /// Of the host's tokens: those that were written, flagged and thrown away; and those that were written
  /// before the first one was shown, these included. @{
  std::size_t n_discarded_tokens = 0, n_wait_tokens = 0;  /// @}
  double guard_ms = 0;
  qwen3guard::TokenVerdict prompt;
};

/// What the user sees.
struct Screen {
  /// Text that may be shown, with the verdict of the token that it belongs to, where there is one.
  std::function<void(std::string_view text, const qwen3guard::TokenVerdict& verdict)> show;
  /// What was shown belongs to what is flagged, from some place on: of the answer only `kept` stays.
  std::function<void(std::string_view kept)> take_back;
};

/// A conversation between a user and a host model, guarded at both ends. No input or output of its own.
class GuardedChat {
 public:
  static constexpr std::string_view kRefusal = "I would rather not talk about that.";
  static constexpr std::string_view kGaveUp = " [The rest of the answer was withheld.]";

  /// Borrows both for its life. Throws qwen3guard::Exception.
  GuardedChat(const qwen3guard::Guard& guard, Host& host, const Settings& settings);

  /// Judges the prompt, and when it passes lets the host answer. Throws qwen3guard::Exception.
  Outcome say(const std::string& prompt, const Screen& screen);

  [[nodiscard]] const std::vector<qwen3guard::Message>& messages() const noexcept { return messages_; }
  [[nodiscard]] const qwen3guard::StreamSession& session() const noexcept { return session_; }

 private:
  bool answer(Outcome& outcome, const Screen& screen);
  void show(std::string_view text, Outcome& outcome, const Screen& screen);
  void start_over();

  Host& host_;
  Settings settings_;
  qwen3guard::StreamSession session_;
  std::vector<qwen3guard::Message> messages_;
};

}  // namespace chat

#endif  // QWEN3GUARD_EXAMPLES_CHAT_GUARDED_CHAT_HPP

// SPDX-License-Identifier: Apache-2.0
#include "cli/try/judgement.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "cli/color.hpp"
#include "cli/errors.hpp"
#include "cli/settled_tokens.hpp"
#include "cli/try/token_painter.hpp"

namespace qwen3guard::cli {
namespace {

using TryClock = std::chrono::steady_clock;

/// What stands left of what a kind of model says.
constexpr std::string_view kGenLabel = "  Gen     ", kStreamLabel = "  Stream  ", kNoLabel = "          ";

std::string fixed_text(double value, const char* format) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

std::string severity_text(Severity severity, float probability, bool color) {
  std::string out(color_of(severity, color));
  out += to_string(severity);
  out += color_off(color);
  if (severity != Severity::not_judged && probability > 0)
    out += " (" + fixed_text(static_cast<double>(probability) * 100.0, "%.1f %%") + ")";
  return out;
}

std::string ms_text(double ms) { return ", " + fixed_text(ms, ms < 10 ? "%.1f ms" : "%.0f ms"); }

/// Why there is no verdict, or none on the rest.
std::string reason_text(const Error& error) {
  return error.code == ErrorCode::cancelled ? "stopped" : escaped(error.detail);
}

/// One answer that goes through a stream, and what of it was shown.
class JudgedText {
 public:
  JudgedText(const Tokenizer& tokenizer, std::string_view text, const Screen& screen)
      : text_(text),
        painter_(screen),
        tokens_(tokenizer, [this](const TokenVerdict& token, const std::string& characters) {
          show(token, characters);
        }) {}

  /// Pushes the whole text into the session's open turn and ends that.
  Result<TurnVerdict> judge(StreamSession& session) {
    constexpr std::size_t kPieceBytes = 16;  // a few tokens, so that they are seen one after the other
    for (std::string_view rest = text_; !rest.empty();) {
      const auto update = session.push_text(rest.substr(0, kPieceBytes));
      if (!update.ok()) return update.error();
      tokens_.follow(*update);
      rest.remove_prefix(std::min(kPieceBytes, rest.size()));
    }
    auto turn = session.end_turn();
    if (turn.ok()) tokens_.finish(session.verdicts());
    return turn;
  }

  /// What no token has shown was not judged.
  void finish() {
    painter_.paint(Severity::not_judged, std::string_view(text_).substr(n_shown_bytes_));
    painter_.finish();
  }

 private:
  void show(const TokenVerdict& token, const std::string& characters) {
    const bool is_blocked = token.action == Action::block;
    if (is_blocked && !was_blocked_) painter_.mark_block();
    was_blocked_ = is_blocked;
    painter_.paint(token.severity, characters);
    // Tokens that share a character have its whole range, and the last of them shows it.
    if (!characters.empty())
      n_shown_bytes_ = std::min(text_.size(), static_cast<std::size_t>(token.byte_end));
  }

  std::string_view text_;
  TokenPainter painter_;
  SettledTokens tokens_;
  std::size_t n_shown_bytes_ = 0;
  bool was_blocked_ = false;
};

/// What an answer came to, as a line without its end.
std::string decision_text(const Decision& decision, const Screen& screen) {
  const TokenVerdict* token = decision.token ? &*decision.token : nullptr;
  // In a run of several severities the decision is another than the token's.
  const bool is_of_token = token != nullptr && token->severity == decision.severity;
  std::string out = severity_text(decision.severity,
                                  is_of_token ? token->probabilities[decision.severity] : 0, screen.color);
  if (token != nullptr && decision.severity > Severity::safe)
    out += std::string(", ") + to_string(token->category);
  if (!decision.is_complete) {
    out += decision.unjudged_begin < decision.unjudged_end
               ? "; bytes " + std::to_string(decision.unjudged_begin) + " to " +
                     std::to_string(decision.unjudged_end) + " were not judged"
               : "; not all of it was judged";
  }
  return out;
}

}  // namespace

bool show_verdict(const Guard& guard, std::span<const Message> messages,
                  const std::shared_ptr<const CancelFlag>& cancel, const Screen& screen) {
  ClassifyOptions options;
  options.cancel = cancel;
  const auto verdict = guard.classify(messages, options);
  std::string line(guard.kind() == ModelKind::gen ? kGenLabel : kStreamLabel);
  if (!verdict.ok()) {
    screen.write(line + severity_text(Severity::not_judged, 0, screen.color) + ": " +
                 reason_text(verdict.error()) + "\n");
    return false;
  }
  line += severity_text(verdict->severity, verdict->probabilities[verdict->severity], screen.color);
  for (const CategoryScore& score : verdict->categories)
    line += std::string(", ") + to_string(score.category);
  if (verdict->refusal) line += std::string(", refusal: ") + (verdict->refusal->value ? "yes" : "no");
  screen.write(line + ms_text(verdict->latency_ms) + "\n");
  return verdict->severity != Severity::not_judged;
}

bool show_tokens(const Guard& guard, std::span<const Message> messages,
                 const std::shared_ptr<const CancelFlag>& cancel, const Screen& screen) {
  const TryClock::time_point start = TryClock::now();
  StreamOptions options;
  options.cancel = cancel;
  options.judge_unsettled = false;  // a token that may still change is not shown
  screen.write(kStreamLabel);
  JudgedText text(*guard.tokenizer(), messages.back().content, screen);
  const auto turn = [&]() -> Result<TurnVerdict> {
    auto session = guard.open_stream(options);
    if (!session.ok()) return session.error();
    if (Status status = session->restore(messages.first(messages.size() - 1)); !status.ok())
      return status.error();
    if (Status status = session->begin_turn(messages.back().role); !status.ok()) return status.error();
    return text.judge(*session);
  }();
  text.finish();
  screen.write("\n" + std::string(kNoLabel));
  if (!turn.ok()) {
    screen.write(severity_text(Severity::not_judged, 0, screen.color) + ": " + reason_text(turn.error()) +
                 "\n");
    return false;
  }
  const std::chrono::duration<double, std::milli> ms = TryClock::now() - start;
  screen.write(decision_text(turn->decision, screen) + ms_text(ms.count()) + "\n");
  return turn->decision.severity != Severity::not_judged;
}

}  // namespace qwen3guard::cli

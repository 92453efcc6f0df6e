// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_UNIT_GUARD_SESSION_MODEL_HPP
#define QWEN3GUARD_TESTS_UNIT_GUARD_SESSION_MODEL_HPP

#include <optional>
#include <span>

#include "stream_fixture.hpp"

/// What stream_session.hpp promises of a session, said once more: turns, texts and ids, and the tokenizer. No
/// network, no tape.
namespace qwen3guard::test {

inline const std::string kThinkBlock = "<think>\n\n</think>\n\n";

inline bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// How many bytes at the end of `text` are the beginning of a character. The texts of this test are
/// ill-formed in simple ways only: stray bytes FF, and characters cut off.
inline std::size_t tail_bytes(const std::string& text) {
  for (std::size_t n = 1; n <= std::min<std::size_t>(3, text.size()); ++n) {
    const auto lead = static_cast<unsigned char>(text[text.size() - n]);
    if (is_continuation(text[text.size() - n])) continue;
    if (lead < 0xC0) return 0;
    const std::size_t length = lead >= 0xF5 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    return n < length ? n : 0;
  }
  return 0;
}

inline std::string repaired(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    std::size_t n = 1;
    while (n < length && i + n < text.size() && is_continuation(text[i + n])) ++n;
    if (n == length) {
      out += text.substr(i, n);
    } else {
      out += "\xEF\xBF\xBD";
    }
    i += n;
  }
  return out;
}

inline std::string without_breaks(const std::string& text) {
  const std::size_t begin = text.find_first_not_of('\n');
  return begin == std::string::npos ? std::string() : text.substr(begin);
}
inline bool begins_thinking(const std::string& text) { return without_breaks(text).starts_with("<think>"); }

/// What the published template makes of an answer.
struct TemplateAnswer {
  std::string reasoning, content;
};
inline TemplateAnswer template_answer(const std::string& text) {
  const std::size_t first = text.find("</think>"), last = text.rfind("</think>");
  if (first == std::string::npos) return {"", text};
  std::string before = text.substr(0, first);
  while (before.ends_with('\n')) before.pop_back();
  const std::size_t begin = before.rfind("<think>");
  if (begin != std::string::npos) before = before.substr(begin + 7);
  return {without_breaks(before), without_breaks(text.substr(last + 8))};
}

struct TurnModel {
  enum class Kind { none, text, tokens };
  Role role = Role::user;
  Kind kind = Kind::none;
  std::string text;
  std::vector<TokenId> ids;
  bool is_open = true;
  bool is_restored = false;  // whole, and never judged token by token
  bool has_end = false;
  std::uint64_t serial = 0;
  std::vector<TokenVerdict> record;  // what the updates said
  std::size_t n_settled = 0;         // the last update's
  std::optional<std::int64_t> stopped_at_byte;
};

class Model {
 public:
  Model(const Guard& guard, const StreamOptions& options)
      : tokenizer_(*guard.tokenizer()), options_(options), is_gen_(guard.kind() == ModelKind::gen) {}

  std::vector<TurnModel> turns;

  [[nodiscard]] bool is_open() const { return !turns.empty() && turns.back().is_open; }

  [[nodiscard]] std::int64_t token_bytes(std::span<const TokenId> ids) const {
    std::int64_t n = 0;
    for (const TokenId id : ids) n += static_cast<std::int64_t>(tokenizer_.token_bytes(id).value().size());
    return n;
  }
  [[nodiscard]] std::int64_t n_bytes(const TurnModel& turn) const {
    return turn.kind == TurnModel::Kind::tokens ? token_bytes(turn.ids)
                                                : static_cast<std::int64_t>(turn.text.size());
  }
  [[nodiscard]] std::string spelled(const TurnModel& turn) const {
    if (turn.kind != TurnModel::Kind::tokens) return turn.text;
    std::string text;
    for (const TokenId id : turn.ids) text += tokenizer_.token_bytes(id).value();
    return text;
  }
  [[nodiscard]] std::int64_t n_units(const TurnModel& turn) const {
    return turn.kind == TurnModel::Kind::tokens
               ? static_cast<std::int64_t>(turn.ids.size() + (turn.has_end ? 1 : 0))
               : static_cast<std::int64_t>(turn.text.size());
  }

  /// The text that is judged: without a last character that is not complete, or with U+FFFD.
  [[nodiscard]] std::string judged_text(const TurnModel& turn) const {
    const bool replaces = options_.invalid_utf8 == InvalidUtf8::replace;
    std::string text = turn.text;
    if (turn.is_open || !replaces) text.resize(text.size() - tail_bytes(text));
    return replaces ? repaired(text) : text;
  }
  [[nodiscard]] std::int64_t n_judged_bytes(const TurnModel& turn) const {
    if (turn.kind == TurnModel::Kind::tokens) return token_bytes(turn.ids);
    const bool drops = turn.is_open || options_.invalid_utf8 == InvalidUtf8::reject;
    return static_cast<std::int64_t>(turn.text.size() - (drops ? tail_bytes(turn.text) : 0));
  }

  /// The text that stands in front of a turn's own and is encoded with it.
  [[nodiscard]] std::string prefix(const TurnModel& turn) const {
    if (is_gen_) return {};
    if (turn.role != Role::assistant) return std::string(to_string(turn.role)) + "\n";
    return begins_thinking(spelled(turn)) ? "" : "\n\n";
  }
  /// Line breaks at the beginning that the template strips.
  [[nodiscard]] std::size_t n_stripped(const TurnModel& turn) const {
    if (is_gen_ || turn.role != Role::assistant || turn.kind != TurnModel::Kind::text) return 0;
    return turn.text.size() - without_breaks(turn.text).size();
  }
  /// The tokens of the host's text, without those of the markup; stripped line breaks are one.
  [[nodiscard]] std::vector<TokenId> text_ids(const TurnModel& turn) const {
    if (turn.kind == TurnModel::Kind::tokens) return turn.ids;
    const std::string line = prefix(turn);
    std::string text = judged_text(turn);
    std::vector<TokenId> out;
    if (n_stripped(turn) > 0) {
      text = without_breaks(text);
      out.push_back(tokenizer_.find_bytes("\n").value());
    }
    const std::vector<TokenId> ids = plain(line + text);
    std::size_t n = 0;
    for (std::int64_t bytes = 0; n < ids.size(); ++n) {
      bytes += token_bytes(std::span(ids).subspan(n, 1));
      if (bytes > static_cast<std::int64_t>(line.size())) break;
    }
    out.insert(out.end(), ids.begin() + static_cast<std::ptrdiff_t>(n), ids.end());
    return out;
  }
  /// The ids of the verdicts that a turn has when all of it was judged.
  [[nodiscard]] std::vector<TokenId> verdict_ids(const TurnModel& turn) const {
    if (turn.role == Role::system || turn.is_restored) return {};
    return text_ids(turn);
  }

  /// Tokens of turn i on the tape.
  [[nodiscard]] std::size_t n_turn_tokens(std::size_t i) const {
    const TurnModel& turn = turns[i];
    const std::string line = std::string(to_string(turn.role)) + "\n";
    const bool is_ids = turn.kind == TurnModel::Kind::tokens;
    if (turn.role != Role::assistant)
      return is_ids ? plain(line).size() + turn.ids.size() : plain(line + judged_text(turn)).size();
    const std::string block = begins_thinking(spelled(turn)) ? "" : kThinkBlock;
    if (turn.is_open && is_ids) return plain(line + block).size() + turn.ids.size();
    if (turn.is_open) return plain(line + block + without_breaks(judged_text(turn))).size();
    // The template's form: a think block where nobody has asked since, in the last answer or one that has
    // thought.
    std::optional<std::size_t> query;
    for (std::size_t k = 0; k < turns.size(); ++k) {
      const std::string text = judged_text(turns[k]), ids = spelled(turns[k]);
      const std::string& said = turns[k].kind == TurnModel::Kind::tokens ? ids : text;
      const bool is_tool =
          !turns[k].is_open && said.starts_with("<tool_response>") && said.ends_with("</tool_response>");
      if (turns[k].role == Role::user && !is_tool) query = k;
    }
    const TemplateAnswer answer = template_answer(is_ids ? spelled(turn) : judged_text(turn));
    const bool thinks = query && i > *query && (i + 1 == turns.size() || !answer.reasoning.empty());
    if (is_ids && (thinks || i + 1 == turns.size())) return plain(line + block).size() + turn.ids.size();
    if (is_ids) {
      // As tokens: those up to the last </think> go, and then those that are line breaks only.
      std::vector<TokenId> ids = turn.ids;
      const auto end = std::find(ids.rbegin(), ids.rend(), tokenizer_.find_added("</think>").value());
      if (end != ids.rend()) {
        ids.erase(ids.begin(), end.base());
        while (!ids.empty() && without_breaks(std::string(tokenizer_.token_bytes(ids[0]).value())).empty())
          ids.erase(ids.begin());
      }
      return plain(line).size() + ids.size();
    }
    if (!thinks) return plain(line + answer.content).size();
    return plain(line + "<think>\n" + answer.reasoning + "\n</think>\n\n" + without_breaks(answer.content))
        .size();
  }

  /// Tokens of the conversation.
  [[nodiscard]] std::size_t position() const {
    std::size_t n = 0;
    for (std::size_t i = 0; i < turns.size(); ++i) {
      if (is_gen_) {
        n += text_ids(turns[i]).size();
        continue;
      }
      n += 1 + n_turn_tokens(i) + (turns[i].is_open ? 0 : 2);  // <|im_start|>; <|im_end|>, a line break
    }
    return n;
  }

  /// What rewind(mark) comes to; false: it is an error.
  bool rewind(const StreamMark& mark) {
    if (mark.turn == 0) return turns.clear(), true;
    const auto found =
        std::find_if(turns.begin(), turns.end(), [&](const TurnModel& t) { return t.serial == mark.turn; });
    if (found == turns.end() || (mark.is_closed && found->is_open)) return false;
    if (!mark.is_closed && mark.n_units > n_units(*found)) return false;
    turns.erase(found + 1, turns.end());
    if (mark.is_closed) return true;
    TurnModel& turn = turns.back();
    const bool was_tokens = turn.kind == TurnModel::Kind::tokens;
    const bool keeps_end = was_tokens && turn.has_end && mark.n_units == n_units(turn);
    turn.is_open = true;
    turn.is_restored = false;  // it is judged now
    if (was_tokens) {
      if (!keeps_end) turn.ids.resize(static_cast<std::size_t>(mark.n_units));
      turn.has_end = keeps_end;
    } else {
      turn.text.resize(static_cast<std::size_t>(mark.n_units));
    }
    if (mark.n_units == 0) turn.kind = TurnModel::Kind::none;
    return true;
  }
  void rewind_to_byte(std::int64_t n) {
    TurnModel& turn = turns.back();
    turn.has_end = false;
    if (turn.kind == TurnModel::Kind::tokens) {
      while (!turn.ids.empty() && token_bytes(turn.ids) > n) turn.ids.pop_back();
    } else {
      turn.text.resize(static_cast<std::size_t>(n));
    }
    if (n_units(turn) == 0) turn.kind = TurnModel::Kind::none;
  }

 private:
  [[nodiscard]] std::vector<TokenId> plain(const std::string& text) const {
    return tokenizer_.encode(text).value();
  }

  Tokenizer tokenizer_;
  StreamOptions options_;
  bool is_gen_;
};

inline void apply(TurnModel& turn, const StreamUpdate& update, bool is_rewind) {
  REQUIRE(update.first <= turn.record.size());
  if (!is_rewind) REQUIRE(update.first >= turn.n_settled);  // what was final stays
  turn.record.resize(update.first);
  turn.record.insert(turn.record.end(), update.tokens.begin(), update.tokens.end());
  REQUIRE(update.n_settled <= turn.record.size());
  if (!is_rewind) REQUIRE(update.n_settled >= turn.n_settled);
  turn.n_settled = update.n_settled;
  turn.stopped_at_byte = update.stopped_at_byte;
}

/// What holds whatever the context does.
inline void check_ranges(const StreamSession& session) {
  const std::size_t first = session.first_verdict(), n = session.n_verdicts();
  REQUIRE(first <= n);
  const auto all = session.verdicts();
  REQUIRE(all.size() == n - first);
  REQUIRE(session.verdicts(n).empty());
  REQUIRE(session.verdicts(n + 5).empty());
  if (n > first) REQUIRE(session.verdicts(n - 1).size() == 1);
  REQUIRE(session.position() >= 0);
  REQUIRE(session.turn_bytes() >= 0);
  std::int64_t begin = 0, end = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(i, all[i].byte_begin, all[i].byte_end);
    REQUIRE(all[i].byte_begin >= begin);
    REQUIRE(all[i].byte_begin <= std::max(end, all[i].byte_begin));
    REQUIRE(all[i].byte_end >= std::max(end, all[i].byte_begin));
    REQUIRE(all[i].byte_end <= session.turn_bytes());
    REQUIRE(all[i].position == all[0].position + static_cast<std::int32_t>(i));
    REQUIRE((all[i].severity == Severity::not_judged || all[i].source != VerdictSource::none));
    begin = all[i].byte_begin;
    end = all[i].byte_end;
  }
  const Decision decision = session.decision();
  REQUIRE(decision.unjudged_begin >= 0);
  REQUIRE(decision.unjudged_begin <= decision.unjudged_end);
  REQUIRE(decision.unjudged_end <= session.turn_bytes());
  if (decision.is_complete) REQUIRE(decision.unjudged_begin == decision.unjudged_end);
  if (decision.severity == Severity::safe) REQUIRE(decision.is_complete);
  REQUIRE(decision.ruling.policy_name == "default");
  for (const Action action : {decision.action, decision.ruling.action}) {
    if (action == Action::allow) REQUIRE(decision.is_complete);
    if (action == Action::allow) REQUIRE(decision.severity != Severity::not_judged);
  }
  if (decision.is_complete) REQUIRE(decision.ruling.action != Action::none);
}

inline void check_record(const StreamSession& session, const TurnModel& turn) {
  const auto all = session.verdicts();
  REQUIRE(session.n_verdicts() == turn.record.size());
  for (std::size_t i = session.first_verdict(); i < turn.record.size(); ++i) {
    CAPTURE(i, turn.n_settled);
    const TokenVerdict& is = all[i - session.first_verdict()];
    REQUIRE(is.id == turn.record[i].id);
    REQUIRE(is.byte_end == turn.record[i].byte_end);
    REQUIRE(is.source == turn.record[i].source);
    REQUIRE(is.probabilities.safe == turn.record[i].probabilities.safe);
    if (i < turn.n_settled) REQUIRE(is.is_settled);
  }
}

/// Where the thinking of a response lies in its text: [begin, end), empty when there is none.
struct ThinkRange {
  std::int64_t begin = 0, end = 0;
  bool is_closed = false;
};

inline ThinkRange think_range(const std::string& text) {
  ThinkRange out;
  const std::size_t begin = text.find_first_not_of('\n');
  if (begin == std::string::npos || text.compare(begin, 7, "<think>") != 0) return out;
  const std::size_t end = text.find("</think>");
  out.is_closed = end != std::string::npos;
  out.begin = static_cast<std::int64_t>(begin);
  // The line breaks behind it are the template's.
  const std::size_t answer = out.is_closed ? text.find_first_not_of('\n', end + 8) : std::string::npos;
  out.end = static_cast<std::int64_t>(std::min(answer, text.size()));
  return out;
}

/// What a response's decision says of what was judged.
inline void check_decision(const StreamSession& session, const Model& model, const StreamOptions& options,
                           bool is_gen) {
  const TurnModel& turn = model.turns.back();
  const Decision decision = session.decision();
  const bool skips = options.thinking == Thinking::skip;
  ThinkRange thinking = skips ? think_range(model.spelled(turn)) : ThinkRange();
  // As far as it was read.
  const auto all = session.verdicts();
  thinking.is_closed = thinking.is_closed && !all.empty() && all.back().byte_end >= thinking.end;
  std::int64_t judged_end = 0;
  bool is_judged = false;
  for (const TokenVerdict& token : all) {
    const bool is_thought = token.byte_begin >= thinking.begin && token.byte_end <= thinking.end;
    if (&token == &all.front() && model.n_stripped(turn) > 0 && session.first_verdict() == 0) {
      REQUIRE_FALSE(token.counts);
      REQUIRE(token.source == VerdictSource::none);
      continue;
    }
    REQUIRE(token.counts == !is_thought);
    if (token.source != VerdictSource::heads && token.source != VerdictSource::written) continue;
    if (!is_thought || (!is_gen && is_judged)) judged_end = token.byte_end;
    is_judged = is_judged || !is_thought;
  }
  if (is_judged && thinking.end > 0 && thinking.is_closed && judged_end >= thinking.begin)
    judged_end = std::max(judged_end, thinking.end);
  if (is_judged && thinking.end > 0 && !thinking.is_closed) judged_end = thinking.begin;
  if (is_gen && turn.is_open && turn.kind == TurnModel::Kind::tokens) {
    // A verdict is not about the beginning of a character.
    REQUIRE(decision.is_complete <= (is_judged && judged_end == model.n_bytes(turn)));
  } else {
    REQUIRE(decision.is_complete == (is_judged && judged_end == model.n_bytes(turn)));
    if (!decision.is_complete) REQUIRE(decision.unjudged_begin == judged_end);
  }
  if (!decision.is_complete) REQUIRE(decision.unjudged_end == model.n_bytes(turn));
}

/// A user's turn has one verdict, when it is over; a system's has none.
inline void check_other(const Decision& decision, const Model& model, const TurnModel& turn) {
  const std::int64_t n = model.n_bytes(turn);
  const bool is_user = turn.role == Role::user && !turn.is_open;
  const std::int64_t n_unjudged = !is_user ? 0 : turn.is_restored ? n : n - model.n_judged_bytes(turn);
  REQUIRE(decision.unjudged_end - decision.unjudged_begin == n_unjudged);
  REQUIRE(decision.is_complete == (is_user && !turn.is_restored && n_unjudged == 0));
  if (decision.is_complete) REQUIRE(decision.severity != Severity::not_judged);
  REQUIRE(decision.token.has_value() == (is_user && !turn.is_restored));
}

/// A context that is full: what the last update said of it is what the decision says.
inline void check_stop(const StreamSession& session, const TurnModel& turn, bool is_gen) {
  const Decision decision = session.decision();
  if (!turn.stopped_at_byte) return;
  REQUIRE_FALSE(decision.is_complete);
  REQUIRE(decision.unjudged_begin == *turn.stopped_at_byte);
  REQUIRE(decision.unjudged_end == session.turn_bytes());
  // Tokens of one character all have its range. A written verdict is late: tokens wait for it.
  if (!session.verdicts().empty() && !is_gen)
    REQUIRE(session.verdicts().back().byte_begin <= *turn.stopped_at_byte);
}

inline void check(const StreamSession& session, const Model& model, const StreamOptions& options,
                  bool is_gen) {
  check_ranges(session);
  const StreamMark mark = session.mark();
  if (model.turns.empty()) {
    REQUIRE(mark.turn == 0);
    REQUIRE(mark.n_units == 0);
    REQUIRE_FALSE(mark.is_closed);
    REQUIRE(session.position() == 0);
    REQUIRE(session.turn_bytes() == 0);
    REQUIRE(session.n_verdicts() == 0);
    REQUIRE_FALSE(session.decision().is_complete);
    return;
  }
  const TurnModel& turn = model.turns.back();
  std::string story;
  for (const TurnModel& t : model.turns)
    story += std::string(to_string(t.role)) + (t.is_open ? " open" : "") +
             (t.is_restored ? " restored " : " ") + std::to_string(static_cast<int>(t.kind)) + " [" + t.text +
             "]" + std::to_string(t.ids.size()) + "; ";
  CAPTURE(story, to_string(turn.role), turn.text, turn.ids.size(), turn.is_open, turn.is_restored);
  REQUIRE(mark.turn == turn.serial);
  REQUIRE(mark.n_units == model.n_units(turn));
  REQUIRE(mark.is_closed == !turn.is_open);
  REQUIRE(session.turn_bytes() == model.n_bytes(turn));
  if (!turn.is_restored) check_record(session, turn);
  if (options.context != ContextPolicy::error) return check_stop(session, turn, is_gen);
  const auto expected = model.verdict_ids(turn);
  const auto all = session.verdicts();
  const bool holds_back =
      !options.judge_unsettled && turn.is_open && turn.kind == TurnModel::Kind::text && !is_gen;
  if (holds_back) {
    REQUIRE(all.size() <= expected.size());
    REQUIRE(session.position() <= static_cast<std::int32_t>(model.position()));
  } else {
    REQUIRE(session.n_verdicts() == expected.size());
    REQUIRE(session.position() == static_cast<std::int32_t>(model.position()));
    if (!all.empty()) {
      REQUIRE(all.front().byte_begin == 0);
      REQUIRE(all.back().byte_end == model.n_judged_bytes(turn));
      if (turn.is_open) REQUIRE(all.back().position + 1 == session.position());
    }
  }
  for (std::size_t i = 0; i < all.size() && !holds_back; ++i) REQUIRE(all[i].id == expected[i]);
  const Decision decision = session.decision();
  if (turn.role != Role::assistant) return check_other(decision, model, turn);
  check_decision(session, model, options, is_gen);
}

}  // namespace qwen3guard::test

#endif  // QWEN3GUARD_TESTS_UNIT_GUARD_SESSION_MODEL_HPP

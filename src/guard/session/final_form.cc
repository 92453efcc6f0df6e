// SPDX-License-Identifier: Apache-2.0
#include "guard/session/final_form.hpp"

#include <algorithm>
#include <utility>

#include "guard/policy/ruling.hpp"

namespace qwen3guard::detail {

FinalForm::FinalForm(ClosedForm form, const ClosedTurn& turn, const TurnRecord& record,
                     std::size_t live_begin, Thinking thinking)
    : form_(std::move(form)),
      is_rendered_(form_.rendered.has_value() && !record.marks.is_stopped),
      live_begin_(live_begin),
      judged_begin_(form_.end),
      first_(form_.end),
      end_(form_.end) {
  if (turn.role == Role::user) end_ = form_.end + 1;
  if (turn.role != Role::assistant || record.marks.is_stopped) return;
  end_ = form_.end + kClosingTokens;
  if (!is_rendered_) return;
  const RenderedTurn& rendered = *form_.rendered;
  const AnswerParts parts = split_answer(turn.whole_text());
  const bool judges_reasoning =
      thinking == Thinking::judge ||
      (!parts.reasoning.empty() && (thinking == Thinking::none || !parts.begins_thinking));
  // Without an answer behind it, skipped thinking is all that there is, whatever this form shows of it.
  has_answer_ = thinking != Thinking::skip || !parts.begins_thinking ||
                (parts.has_think_end && !parts.content.empty()) || parts.loses_text;
  judged_begin_ = form_.begin + (judges_reasoning && rendered.reasoning_begin > 0 ? rendered.reasoning_begin
                                                                                  : rendered.content_begin);
  // The same tokens at the same place have the verdicts that they had.
  const std::size_t n_live = record.tokens.empty() ? 0 : record.lead.size() + record.tokens.size();
  const std::size_t known_end = std::min(live_begin_ + n_live, form_.keep);
  first_ = live_begin_ <= judged_begin_ ? std::max(judged_begin_, known_end) : judged_begin_;
}

std::vector<TokenVerdict> FinalForm::counted(const Conversation& conversation,
                                             const TurnRecord& record) const {
  std::vector<TokenVerdict> out;
  for (std::size_t i = judged_begin_; i < first_; ++i) {
    const std::size_t k = i - live_begin_;
    out.push_back(k < record.lead.size() ? record.lead[k].verdict
                                         : record.tokens[k - record.lead.size()].verdict);
  }
  out.insert(out.end(), verdicts_.begin(), verdicts_.end());
  const ClosedTurn& turn = *conversation.turns().back().turn;
  const std::int64_t n_bytes = turn.n_bytes + record.marks.unread_bytes;
  std::int64_t byte = is_rendered_ ? 0 : n_bytes;
  for (std::size_t i = 0; i < out.size(); ++i) {
    TokenVerdict& token = out[i];
    const std::size_t at = judged_begin_ + i;
    token.id = conversation.ids()[at];
    token.position = static_cast<std::int32_t>(at + conversation.n_gone());
    token.is_settled = token.counts = true;
    const ByteRange range =
        is_rendered_ && at < form_.end ? form_.rendered->ranges[at - form_.begin] : ByteRange();
    // Markup stands between the bytes before and behind it.
    if (at >= form_.end) byte = n_bytes;
    token.byte_begin = range.begin < range.end ? static_cast<std::int64_t>(range.begin) : byte;
    byte = token.byte_end = range.begin < range.end ? static_cast<std::int64_t>(range.end) : byte;
  }
  return out;
}

Decision FinalForm::decide(const Policy& policy, const Conversation& conversation, const TurnRecord& record,
                           UnjudgedText missing, Judged* judged) const {
  std::vector<TokenVerdict> tokens = counted(conversation, record);
  const ClosedTurn& turn = *conversation.turns().back().turn;
  const bool was_judged = record.n_tokens() > 0;
  if (is_rendered_ && !was_judged) {
    // Judged in this form alone.
    const bool has_text =
        has_answer_ && std::any_of(tokens.begin(), tokens.end(), [](const TokenVerdict& token) {
          return token.byte_begin < token.byte_end;
        });
    const auto n_incomplete = static_cast<std::int64_t>(turn.n_incomplete_bytes);
    missing = {!has_text || n_incomplete > 0, has_text ? turn.n_bytes - n_incomplete : 0, turn.n_bytes};
  }
  // As it was written, the closing tokens follow the others; in the template's form the count begins anew.
  PolicyState written = record.last().state;
  const std::int32_t first = is_rendered_ ? 0 : TurnRecord::index(record.n_tokens());
  PolicyState state = is_rendered_ ? PolicyState() : written;
  std::int32_t next = first;
  for (TokenVerdict& token : tokens) state.push(policy.rules(), Role::assistant, next++, token);
  state.end_turn(policy.rules(), next - 1);
  const auto found = [&](std::int32_t index) -> const TokenVerdict* {
    return index >= first ? &tokens[static_cast<std::size_t>(index - first)] : record.verdict(index);
  };
  Decision out = make_decision(policy, Role::assistant, state, deciding_tokens(state, found), missing, true);
  if (judged != nullptr) {
    for (const auto* part : {&record.lead, &record.tokens}) {
      for (const TurnToken& token : *part) judged->as_written.push_back(token.verdict);
    }
    judged->final_form = tokens;
    judged->missing = missing;
  }
  if (!is_rendered_ || !was_judged) return out;
  written.end_turn(policy.rules(), TurnRecord::index(record.n_tokens()) - 1);
  Decision before = make_decision(
      policy, Role::assistant, written,
      deciding_tokens(written, [&](std::int32_t index) { return record.verdict(index); }), missing, true);
  // The worse of the two, and the stricter: one form may say more harm, and the other do more.
  const Action in_force = strictness(before.action) > strictness(out.action) ? before.action : out.action;
  const Ruling ruling =
      strictness(before.ruling.action) > strictness(out.ruling.action) ? before.ruling : out.ruling;
  if (before.severity > out.severity) out = std::move(before);
  out.action = in_force;
  out.ruling = ruling;
  return out;
}

}  // namespace qwen3guard::detail

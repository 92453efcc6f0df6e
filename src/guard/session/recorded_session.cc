// SPDX-License-Identifier: Apache-2.0
#include "guard/session/recorded_session.hpp"

#include <algorithm>

#include "guard/policy/list_ruling.hpp"
#include "util/error.hpp"

namespace qwen3guard::detail {
namespace {

const Tokenizer* tokenizer_of(const Guard::Impl& guard) noexcept {
  return guard.tokenizer() ? &*guard.tokenizer() : nullptr;
}

}  // namespace

RecordedSession::RecordedSession(std::shared_ptr<const Guard::Impl> guard, const StreamOptions& options,
                                 const Conversation::Options& conversation)
    : guard_(std::move(guard)),
      options_(options),
      think_(tokenizer_of(*guard_)),
      conversation_(tokenizer_of(*guard_), conversation) {
  const PolicyRules& rules = options_.policy.rules();
  options_.context = options_.context.value_or(rules.context);
  options_.dropped_messages = options_.dropped_messages.value_or(rules.dropped_messages);
}

RecordedSession::RecordedSession(const RecordedSession& other)
    : Impl(other),
      guard_(other.guard_),
      options_(other.options_),
      think_(other.think_),
      conversation_(other.conversation_),
      records_(other.records_),
      record_(other.record_),
      is_record_shared_(other.record_ != nullptr) {
  other.is_record_shared_ = is_record_shared_;
}

TurnRecord& RecordedSession::writable() {
  if (is_record_shared_) {
    record_ = std::make_shared<TurnRecord>(*record_);
    is_record_shared_ = false;
  }
  return *record_;
}

std::shared_ptr<TurnRecord> RecordedSession::empty_record() const {
  auto out = std::make_shared<TurnRecord>();
  out->decision = undecided(options_.policy);
  if (const PhraseMatcher* phrases = denied_phrases(options_.policy); phrases != nullptr)
    out->lists.emplace(*phrases);
  return out;
}

void RecordedSession::look_for_phrases(std::string_view pushed) {
  const OpenTurn& turn = *conversation_.open();
  TurnRecord& record = writable();
  ListTrack& lists = *record.lists;
  const std::int64_t n_before = turn_bytes() - static_cast<std::int64_t>(pushed.size());
  if (lists.n_bytes() >= n_before) {
    lists.truncate(n_before);
    lists.push(pushed);
    // Nobody goes back to what the context has slid past.
    if (record.n_slid > 0) lists.forget(record.before.verdict.byte_begin);
    return;
  }
  // The turn was restored, and is open again. What is not kept of it is line breaks.
  const std::string_view kept = turn.host_text();
  const auto n_bytes = static_cast<std::size_t>(turn_bytes());
  ListTrack again(*denied_phrases(options_.policy));
  again.push(std::string(n_bytes - std::min(n_bytes, kept.size()), '\n'));
  again.push(kept);
  lists = std::move(again);
}

void RecordedSession::follow_lists(std::string_view pushed, StreamUpdate& update) {
  const PhraseMatcher* phrases = denied_phrases(options_.policy);
  if (record_ == nullptr || phrases == nullptr) return;
  if (conversation_.open()->role() == Role::system) return;  // nobody judges it
  if (!record_->lists) writable().lists.emplace(*phrases);   // it was restored
  const std::optional<ScannedHit> before = record_->lists->hit();
  look_for_phrases(pushed);
  const std::optional<ScannedHit>& now = record_->lists->hit();
  if (!before && !now) return;
  add_list_hit(*record_, false, update.tokens);
  const bool is_provisional = now && !now->is_settled;
  if (before == now && !is_provisional) return;
  std::vector<TokenVerdict> all = verdicts(0);
  const std::size_t first = first_verdict();
  // Where a hit ends, the action changes; up to there nothing does.
  const auto place = [&](const std::optional<ScannedHit>& hit) {
    const auto in = std::find_if(all.begin(), all.end(), [&](const TokenVerdict& token) {
      return hit && token.byte_end >= hit->hit.byte_end;
    });
    return static_cast<std::size_t>(in - all.begin());
  };
  if (is_provisional) update.n_settled = std::min(update.n_settled, first + place(now));
  const std::size_t changed = std::min(place(before), place(now));
  if (before == now || first + changed >= update.first) return;
  update.first = first + changed;
  update.tokens.assign(all.begin() + static_cast<std::ptrdiff_t>(changed), all.end());
}

void RecordedSession::add_list_hit(const TurnRecord& record, bool has_ended, Decision& decision) const {
  if (!record.lists) return;
  std::optional<ScannedHit> hit = record.lists->hit();
  if (!hit) return;
  hit->is_settled = hit->is_settled || has_ended;
  std::optional<std::int32_t> position;
  const bool is_gone = record.n_slid > 0 && hit->hit.byte_end <= record.before.verdict.byte_end;
  for (const TurnToken& token : record.tokens) {
    if (is_gone || token.verdict.byte_end < hit->hit.byte_end) continue;
    position = token.verdict.position;
    break;
  }
  add_hit(options_.policy, *hit, position, decision);
}

void RecordedSession::add_list_hit(const TurnRecord& record, bool has_ended,
                                   std::span<TokenVerdict> tokens) const {
  if (!record.lists || tokens.empty()) return;
  const auto& hit = record.lists->hit();
  if (!hit) return;
  for (TokenVerdict& token : tokens) {
    if (token.byte_end < hit->hit.byte_end) continue;
    token.action = Action::block;
    token.is_settled = token.is_settled && (hit->is_settled || has_ended);
  }
}

void RecordedSession::rule_by_list_hit(const TurnRecord& record, Ruling& ruling) const {
  if (!record.lists) return;
  if (const auto hit = record.lists->hit()) ruling = rule_on_hit(options_.policy, {hit->hit, true});
}

std::string RecordedSession::spelled_for_lists(std::span<const TokenId> ids) const {
  std::string out;
  if (record_ == nullptr || !record_->lists) return out;
  for (const TokenId id : ids) out += guard_->tokenizer()->token_bytes(id).value_or(std::string_view());
  return out;
}

Decision RecordedSession::unread_decision(const Message& turn) const {
  return turn.role == Role::system
             ? undecided(options_.policy)
             : decide_unread(options_.policy, static_cast<std::int64_t>(turn.content.size()));
}

void RecordedSession::set_record(std::shared_ptr<TurnRecord> record) {
  log_.keep_value(record_);
  log_.keep_value(is_record_shared_);
  record_ = std::move(record);
  is_record_shared_ = false;
}

Status RecordedSession::check_not_stopped() const {
  if (records_.empty() || !records_.back()->marks.is_stopped) return {};
  return error(ErrorCode::context_full,
               "stream: judging stopped in the turn before, when the context was full; rewind() or reset()");
}

const TurnRecord* RecordedSession::last_record() const noexcept {
  return record_ != nullptr ? record_.get() : records_.empty() ? nullptr : records_.back().get();
}

Role RecordedSession::last_role() const noexcept {
  if (conversation_.open() != nullptr) return conversation_.open()->role();
  return conversation_.turns().empty() ? Role::user : conversation_.turns().back().turn->role;
}

Decision RecordedSession::prompt_decision() const {
  const auto turns = conversation_.turns();
  for (std::size_t i = records_.size(); i > 0; --i) {
    if (turns[i - 1].turn->role == Role::user) return records_[i - 1]->decision;
  }
  return undecided(options_.policy);
}

std::size_t RecordedSession::text_memory_bytes() const noexcept {
  std::size_t n = conversation_.memory_bytes() + (record_ != nullptr ? record_->memory_bytes() : 0);
  for (const auto& record : records_) n += record->memory_bytes();
  return n;
}

StreamMark RecordedSession::mark() const noexcept {
  if (const OpenTurn* turn = conversation_.open(); turn != nullptr) {
    const bool is_ids = turn->input() == OpenTurn::Input::tokens;
    const std::int64_t n = is_ids ? static_cast<std::int64_t>(turn->n_dropped() + turn->given().size()) +
                                        (turn->model_end() >= 0 ? 1 : 0)
                                  : turn_bytes();
    return {turn->serial(), n, false};
  }
  if (conversation_.turns().empty()) return {};
  const ClosedTurn& turn = *conversation_.turns().back().turn;
  return {turn.serial, turn.is_ids ? turn.n_ids + (turn.model_end >= 0 ? 1 : 0) : turn_bytes(), true};
}

std::size_t RecordedSession::first_verdict() const noexcept {
  const TurnRecord* record = last_record();
  return record == nullptr ? 0 : record->n_slid;
}

std::int64_t RecordedSession::turn_bytes() const noexcept {
  const TurnRecord* record = last_record();
  if (record == nullptr) return 0;
  const OpenTurn* open = conversation_.open();
  return record->marks.unread_bytes +
         (open != nullptr ? open->n_bytes() : conversation_.turns().back().turn->n_bytes);
}

StreamSession::Impl::LastTurn RecordedSession::last_turn() const noexcept {
  LastTurn out;
  out.invalid_utf8 = options_.invalid_utf8;
  out.tokenizer = tokenizer_of(*guard_);
  out.policy = options_.policy;
  out.role = last_role();
  if (conversation_.open() != nullptr) {
    out.model_end = conversation_.open()->model_end();
  } else if (!conversation_.turns().empty()) {
    out.model_end = conversation_.turns().back().turn->model_end;
  }
  return out;
}

void RecordedSession::reset() noexcept {
  log_.commit();
  conversation_.clear();
  records_.clear();
  record_.reset();
  is_record_shared_ = false;
}

}  // namespace qwen3guard::detail

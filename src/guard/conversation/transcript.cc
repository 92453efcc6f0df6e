// SPDX-License-Identifier: Apache-2.0
#include "guard/conversation/transcript.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "guard/conversation/chat_template.hpp"
#include "qwen3guard/detail/util/try.hpp"
#include "qwen3guard/detail/util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

/// "role\n": one text with the content for the tokenizer, as in the rendered string.
std::string role_line(Role role) { return to_string(role) + std::string("\n"); }

std::ptrdiff_t at(std::size_t n) noexcept { return static_cast<std::ptrdiff_t>(n); }

}  // namespace

std::int64_t Turn::n_bytes() const noexcept {
  if (input == Input::text) return static_cast<std::int64_t>(text->n_bytes() - prefix_bytes) + unread_bytes;
  return given_ends.empty() ? before.verdict.byte_end : given_ends.back();
}

std::size_t Turn::n_header_tokens() const noexcept {
  if (!text || prefix_bytes == 0) return 0;
  const auto ranges = text->ranges();
  std::size_t n = 0;
  while (n < ranges.size() && ranges[n].end <= prefix_bytes) ++n;
  return n;
}

std::size_t Turn::n_verdicts() const noexcept {
  const std::size_t n_header = n_header_tokens();
  return n_slid + std::max(tokens.size(), n_header) - n_header;
}

std::int64_t Turn::n_incomplete_bytes() const noexcept {
  return input == Input::text ? static_cast<std::int64_t>(text->n_incomplete_bytes()) : 0;
}

const TokenVerdict* Turn::verdict(std::int32_t index) const noexcept {
  const auto i = static_cast<std::size_t>(index);
  if (index >= 0 && i >= n_slid && i - n_slid < tokens.size()) return &tokens[i - n_slid].verdict;
  for (const auto& [landmark, token] : landmarks) {
    if (landmark == index) return &token;
  }
  return nullptr;
}

Status Transcript::need_tokenizer() const {
  if (tokenizer_ != nullptr) return {};
  return Error{ErrorCode::bad_tokenizer,
               "the checkpoint was loaded without a tokenizer; expected tokenizer.json, or "
               "vocab.json with merges.txt"};
}

Status Transcript::append_header(Turn& turn) {
  Q3G_TRY(append_markup(*tokenizer_, kImStart, ids_));
  turn.has_think_block = turn.role == Role::assistant && thinking_ == Thinking::none;
  turn.prefix_bytes = 0;
  if (turn.role == Role::assistant) {
    // A response is encoded on its own, as a host's model writes it token by token.
    const std::string header = role_line(turn.role) + (turn.has_think_block ? std::string(kNoThinking) : "");
    Q3G_TRY(append_markup(*tokenizer_, header, ids_));
  }
  turn.text_begin = ids_.size();
  return {};
}

Status Transcript::append_content(Turn& turn) {
  const auto content = turn.input == Turn::Input::tokens ? std::span<const TokenId>(turn.given)
                       : turn.input == Turn::Input::text ? turn.text->ids()
                                                         : std::span<const TokenId>();
  ids_.insert(ids_.end(), content.begin(), content.end());
  return {};
}

Status Transcript::render_closed(Turn& turn) {
  // What the context has slid past cannot be written again: such a turn stays as it was judged.
  if (turn.role != Role::assistant || turn.n_slid > 0) return {};
  const std::string role = role_line(turn.role);
  std::vector<TokenId> ids(ids_.begin(), ids_.begin() + at(turn.begin));
  Q3G_TRY(append_markup(*tokenizer_, kImStart, ids));
  if (turn.input == Turn::Input::tokens) {
    Q3G_TRY(append_markup(*tokenizer_, role, ids));
    const auto answer = think_.answer(turn.given, *tokenizer_);
    ids.insert(ids.end(), answer.begin(), answer.end());
  } else {
    std::string_view given;
    if (turn.text) given = turn.text->text();
    given.remove_suffix(static_cast<std::size_t>(turn.n_incomplete_bytes()));
    std::string text(given);
    if (invalid_utf8_ == InvalidUtf8::replace) text = replace_invalid_utf8(text);
    Q3G_TRY(append_text(*tokenizer_, role + std::string(think_.answer(text)), ids));
  }
  ids.insert(ids.end(), closing_.begin(), closing_.end());
  ids_ = std::move(ids);
  return {};
}

Status Transcript::begin_turn(Role role) {
  Q3G_TRY(need_tokenizer());
  Q3G_TRY(check_markup_tokens(*tokenizer_));
  if (is_open()) {
    return Error{ErrorCode::invalid_argument, "stream: the " + std::string(to_string(turns_.back().role)) +
                                                  "'s turn is open; end_turn() comes before the next"};
  }
  if (closing_.empty()) Q3G_TRY(append_markup(*tokenizer_, std::string(kImEnd) + "\n", closing_));
  const std::vector<TokenId> before = ids_;
  Status status = [&]() -> Status {
    if (role == Role::user && !turns_.empty()) Q3G_TRY(render_closed(turns_.back()));
    Turn turn;
    turn.role = role;
    turn.serial = next_serial_;
    turn.begin = ids_.size();
    Q3G_TRY(append_header(turn));
    turns_.push_back(std::move(turn));
    ++next_serial_;
    return {};
  }();
  if (!status.ok()) ids_ = before;
  return status;
}

Result<Turn*> Transcript::need_open(Turn::Input input) {
  if (!is_open()) {
    return Error{ErrorCode::invalid_argument,
                 "stream: no turn is open; push_prompt() or begin_turn() comes first"};
  }
  Turn& turn = turns_.back();
  if (turn.input != Turn::Input::none && turn.input != input) {
    return Error{ErrorCode::invalid_argument,
                 turn.input == Turn::Input::text
                     ? "stream: this turn is written as text; expected push_text()"
                     : "stream: this turn is written as tokens; expected "
                       "push_tokens()"};
  }
  if (turn.model_end >= 0) {
    return Error{ErrorCode::invalid_argument, "stream: the model ended this turn with token " +
                                                  std::to_string(turn.model_end) + "; expected end_turn()"};
  }
  return &turn;
}

void Transcript::note(const Turn& turn, std::size_t keep) {
  old_tail_.assign(ids_.begin() + at(keep), ids_.end());
  old_keep_ = keep;
  old_input_ = turn.input;
  old_text_begin_ = turn.text_begin;
  old_text_.reset();
  old_ends_.clear();
  old_n_ends_ = turn.given_ends.size();
  is_text_changed_ = false;
}

void Transcript::undo_text(Turn& turn) noexcept {
  if (old_text_) {
    turn.text = *std::move(old_text_);
    old_text_.reset();
  } else if (old_input_ == Turn::Input::none) {
    turn.text.reset();
  } else {
    turn.text->undo();
  }
  turn.input = old_input_;
}

/// The turn's text has changed; note() was told, but not from where on.
std::size_t Transcript::follow_text(Turn& turn) {
  const IncrementalEncoder& text = *turn.text;
  const bool uses_all = judge_unsettled_ || text.is_finished();
  const std::size_t n_use = std::max(uses_all ? text.n_tokens() : text.n_settled(), turn.n_slid);
  const std::size_t n_on_tape = turn.n_slid + (ids_.size() - turn.text_begin);
  const std::size_t n_same = std::min({text.n_unchanged(), n_on_tape, n_use});
  const std::size_t keep = turn.text_begin + (n_same - turn.n_slid);
  const auto fresh = text.ids().subspan(n_same - text.dropped_tokens(), n_use - n_same);
  try {
    ids_.reserve(keep + fresh.size());
    old_tail_.assign(ids_.begin() + at(keep), ids_.end());
  } catch (...) {
    undo_text(turn);
    throw;
  }
  old_keep_ = keep;
  ids_.resize(old_keep_);
  ids_.insert(ids_.end(), fresh.begin(), fresh.end());
  is_text_changed_ = true;
  return old_keep_;
}

Result<IncrementalEncoder> Transcript::new_text(Role role) const {
  const std::string prefix = role == Role::assistant ? std::string() : role_line(role);
  IncrementalEncoder text(*tokenizer_, invalid_utf8_, prefix.size());
  Q3G_TRY(text.append(prefix));
  return text;
}

bool Transcript::exceeds(std::string_view bytes, std::size_t n_tokens) const {
  if (tokenizer_ == nullptr || !is_open() || turns_.back().input == Turn::Input::tokens) return false;
  const Turn& turn = turns_.back();
  const std::size_t n_most = turn.n_slid + (n_tokens - std::min(n_tokens, turn.text_begin));
  if (turn.input == Turn::Input::text) return turn.text->exceeds(bytes, n_most);
  const Result<IncrementalEncoder> text = new_text(turn.role);
  return text.ok() && text->exceeds(bytes, n_most);
}

Result<std::size_t> Transcript::push_text(std::string_view bytes) {
  Q3G_TRY(need_tokenizer());
  Q3G_ASSIGN(Turn * turn, need_open(Turn::Input::text));
  note(*turn, ids_.size());
  if (turn->input == Turn::Input::none) {
    Q3G_ASSIGN(IncrementalEncoder text, new_text(turn->role));
    turn->prefix_bytes = text.n_bytes();
    Q3G_TRY(text.append(bytes));
    turn->text = std::move(text);
    turn->input = Turn::Input::text;
  } else {
    Q3G_TRY(turn->text->append(bytes));
  }
  if (turn->text->n_unchanged() < turn->n_slid) {
    turn->text->undo();
    return Error{
        ErrorCode::context_full,
        "stream: a word is longer than the window of the context; its beginning cannot be judged again"};
  }
  return follow_text(*turn);
}

Result<std::size_t> Transcript::finish_text() {
  if (!is_open()) return Error{ErrorCode::invalid_argument, "stream: no turn is open"};
  Turn& turn = turns_.back();
  note(turn, ids_.size());
  if (turn.input == Turn::Input::none && turn.role != Role::assistant) {
    Q3G_TRY(need_tokenizer());
    Q3G_ASSIGN(IncrementalEncoder text, new_text(turn.role));
    turn.prefix_bytes = text.n_bytes();
    Q3G_TRY(text.finish());
    turn.text = std::move(text);
    turn.input = Turn::Input::text;
    return follow_text(turn);
  }
  if (turn.input != Turn::Input::text || turn.is_stopped) return ids_.size();
  Q3G_TRY(turn.text->finish());
  return follow_text(turn);
}

Result<std::size_t> Transcript::push_tokens(std::span<const TokenId> ids, std::size_t n_fit) {
  Q3G_TRY(need_tokenizer());
  Q3G_ASSIGN(Turn * turn, need_open(Turn::Input::tokens));
  note(*turn, ids_.size());
  std::vector<TokenId> line;
  if (turn->input == Turn::Input::none && turn->role != Role::assistant)
    Q3G_TRY(append_markup(*tokenizer_, role_line(turn->role), line));
  turn->given.reserve(turn->given.size() + n_fit);
  turn->given_ends.reserve(turn->given_ends.size() + ids.size());
  ids_.reserve(ids_.size() + line.size() + n_fit);
  // From here on nothing fails.
  ids_.insert(ids_.end(), line.begin(), line.end());
  turn->text_begin += line.size();
  ids_.insert(ids_.end(), ids.begin(), ids.begin() + at(n_fit));
  turn->given.insert(turn->given.end(), ids.begin(), ids.begin() + at(n_fit));
  for (const TokenId id : ids) {
    const auto bytes = tokenizer_->token_bytes(id);
    turn->given_ends.push_back(turn->n_bytes() + (bytes ? static_cast<std::int64_t>(bytes->size()) : 0));
  }
  turn->input = Turn::Input::tokens;
  return old_keep_;
}

std::size_t Transcript::close_turn() {
  Turn& turn = turns_.back();
  const std::size_t end = ids_.size();
  ids_.insert(ids_.end(), closing_.begin(), closing_.end());
  turn.is_open = false;
  return end;
}

Result<std::size_t> Transcript::rewind_to_byte(std::int64_t n) {
  if (!is_open()) return Error{ErrorCode::invalid_argument, "stream: no turn is open"};
  Turn& turn = turns_.back();
  if (n < 0 || n > turn.n_bytes()) {
    return Error{ErrorCode::invalid_argument, "stream: byte " + std::to_string(n) + " of a turn of " +
                                                  std::to_string(turn.n_bytes()) + " bytes"};
  }
  const Error slid{ErrorCode::invalid_argument, "stream: byte " + std::to_string(n) +
                                                    " lies before the window that the context has slid to"};
  if (n < turn.before.verdict.byte_end) return slid;
  if (n == 0 && turn.n_slid == 0) return empty_turn(turn);
  if (turn.input == Turn::Input::text) {
    const std::size_t byte = std::min(static_cast<std::size_t>(n) + turn.prefix_bytes, turn.text->n_bytes());
    if (byte < turn.text->dropped_bytes()) return slid;
    note(turn, ids_.size());
    Q3G_TRY(turn.text->truncate(byte));
    if (turn.text->n_unchanged() < turn.n_slid) {
      turn.text->undo();
      return slid;
    }
    return follow_text(turn);
  }
  std::size_t n_kept = turn.given_ends.size();
  while (n_kept > 0 && turn.given_ends[n_kept - 1] > n) --n_kept;
  return rewind_to_token(static_cast<std::int64_t>(n_kept + turn.n_slid), false);
}

Result<std::size_t> Transcript::rewind_to_token(std::int64_t n, bool keeps_end) {
  Turn& turn = turns_.back();
  const auto n_slid = static_cast<std::int64_t>(turn.n_slid);
  if (n < n_slid || n > n_slid + static_cast<std::int64_t>(turn.given_ends.size())) {
    return Error{ErrorCode::invalid_argument,
                 "stream: token " + std::to_string(n) + " is not one of the turn's tokens " +
                     std::to_string(n_slid) + " to " + std::to_string(turn.given_ends.size() + turn.n_slid)};
  }
  if (n == 0 && !keeps_end) return empty_turn(turn);
  const auto n_kept = static_cast<std::size_t>(n - n_slid);
  const std::size_t n_on_tape = std::min(n_kept, turn.given.size());
  note(turn, turn.text_begin + n_on_tape);
  old_ends_.assign(turn.given_ends.begin() + at(n_kept), turn.given_ends.end());
  ids_.resize(old_keep_);
  turn.given.resize(n_on_tape);
  turn.given_ends.resize(n_kept);
  old_n_ends_ = n_kept;
  return old_keep_;
}

std::size_t Transcript::empty_turn(Turn& turn) {
  // The role's line goes with the text: it is written again with what comes first.
  const std::size_t keep = turn.role == Role::assistant ? turn.text_begin : turn.begin + 1;
  note(turn, keep);
  old_ends_ = turn.given_ends;
  ids_.resize(keep);
  is_text_changed_ = turn.text.has_value();
  old_text_ = std::move(turn.text);
  turn.text.reset();
  turn.given.clear();
  turn.given_ends.clear();
  old_n_ends_ = 0;
  turn.text_begin = keep;
  turn.input = Turn::Input::none;
  return keep;
}

void Transcript::undo() noexcept {
  Turn& turn = turns_.back();
  turn.is_open = true;
  if (is_text_changed_) undo_text(turn);
  is_text_changed_ = false;
  // No allocation: all of this was in these vectors before.
  ids_.resize(old_keep_);
  ids_.insert(ids_.end(), old_tail_.begin(), old_tail_.end());
  turn.text_begin = old_text_begin_;
  turn.input = old_input_;
  turn.given_ends.resize(old_n_ends_);
  turn.given_ends.insert(turn.given_ends.end(), old_ends_.begin(), old_ends_.end());
  if (turn.input == Turn::Input::tokens) {
    turn.given.assign(ids_.begin() + at(turn.text_begin), ids_.end());
  } else {
    turn.given.clear();
  }
}

Status Transcript::reopen(std::size_t index) {
  Turn& turn = turns_[index];
  if (turn.n_slid > 0) {
    return Error{ErrorCode::invalid_argument,
                 "stream: the context has slid past the beginning of the turn to go back to"};
  }
  std::vector<TokenId> before(ids_.begin() + at(turn.begin), ids_.end());
  ids_.resize(turn.begin);
  Status status = append_header(turn);
  if (status.ok() && turn.role != Role::assistant && turn.input == Turn::Input::tokens) {
    status = append_markup(*tokenizer_, role_line(turn.role), ids_);
    turn.text_begin = ids_.size();
  }
  if (turn.text) turn.prefix_bytes = turn.role == Role::assistant ? 0 : role_line(turn.role).size();
  if (status.ok()) status = append_content(turn);
  if (!status.ok()) {
    ids_.resize(turn.begin);
    ids_.insert(ids_.end(), before.begin(), before.end());
    return status;
  }
  turn.is_open = true;
  turns_.resize(index + 1);
  return {};
}

void Transcript::clear() noexcept {
  ids_.clear();
  turns_.clear();
  n_gone_ = 0;
}

std::size_t Transcript::drop_turns(std::size_t n) {
  const std::size_t first = !turns_.empty() && turns_.front().role == Role::system ? 1 : 0;
  std::size_t last = first;
  while (last < turns_.size()) {
    const std::size_t begin = turns_[last].begin;
    const std::size_t kept_before = first < turns_.size() ? turns_[first].begin : 0;
    if (kept_before + (ids_.size() - begin) <= n) break;
    ++last;
  }
  if (last == first) return ids_.size();
  const std::size_t begin = turns_[first].begin;
  const std::size_t end = last < turns_.size() ? turns_[last].begin : ids_.size();
  ids_.erase(ids_.begin() + at(begin), ids_.begin() + at(end));
  turns_.erase(turns_.begin() + at(first), turns_.begin() + at(last));
  for (std::size_t i = first; i < turns_.size(); ++i) {
    turns_[i].begin -= end - begin;
    turns_[i].text_begin -= end - begin;
  }
  n_gone_ += end - begin;
  return begin;
}

void Transcript::slide(std::size_t begin, std::size_t end) {
  Turn& turn = turns_.back();
  const std::size_t n = end - begin;
  ids_.erase(ids_.begin() + at(begin), ids_.begin() + at(end));
  // What the tokens that stay can refer to: theirs begin where this one's state ends.
  const PolicyState state = turn.tokens[n - 1].state;
  std::vector<std::pair<std::int32_t, TokenVerdict>> landmarks;
  for (const std::int32_t index : {state.run_begin, state.unsafe_at, state.unsafe_begin,
                                   state.controversial_at, state.controversial_begin, state.judged_at}) {
    const TokenVerdict* token = turn.verdict(index);
    const bool is_noted = std::any_of(landmarks.begin(), landmarks.end(),
                                      [&](const auto& landmark) { return landmark.first == index; });
    if (token != nullptr && !is_noted) landmarks.emplace_back(index, *token);
  }
  turn.landmarks = std::move(landmarks);
  turn.before = turn.tokens[n - 1];
  turn.tokens.erase(turn.tokens.begin(), turn.tokens.begin() + at(n));
  if (turn.input == Turn::Input::tokens) {
    turn.given.erase(turn.given.begin(), turn.given.begin() + at(n));
    turn.given_ends.erase(turn.given_ends.begin(), turn.given_ends.begin() + at(n));
  }
  turn.n_slid += n;
  if (turn.text) turn.text->drop_before(turn.n_slid);
  n_gone_ += n;
}

std::size_t Transcript::memory_bytes() const noexcept {
  std::size_t n =
      (ids_.capacity() + old_tail_.capacity()) * sizeof(TokenId) + turns_.capacity() * sizeof(Turn);
  for (const Turn& turn : turns_) {
    n += turn.tokens.capacity() * sizeof(TurnToken) + turn.given.capacity() * sizeof(TokenId) +
         turn.given_ends.capacity() * sizeof(std::int64_t);
    if (turn.text) n += turn.text->memory_bytes();
  }
  return n;
}

}  // namespace qwen3guard::detail

// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/guard/transcript.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "qwen3guard/detail/guard/chat_template.hpp"
#include "qwen3guard/detail/util/try.hpp"
#include "qwen3guard/detail/util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

/// "role\n": one text with the content for the tokenizer, as in the rendered string.
std::string role_line(Role role) { return to_string(role) + std::string("\n"); }

std::ptrdiff_t at(std::size_t n) noexcept { return static_cast<std::ptrdiff_t>(n); }

/// The answer without the thinking before it: the published template's rule for earlier turns.
std::string_view without_thinking(std::string_view text) noexcept {
  const std::size_t end = text.rfind(kThinkEnd);
  if (end == std::string_view::npos) return text;
  text.remove_prefix(end + kThinkEnd.size());
  while (!text.empty() && text.front() == '\n') text.remove_prefix(1);
  return text;
}

bool is_line_breaks(const Tokenizer& tokenizer, TokenId id) {
  const auto bytes = tokenizer.token_bytes(id);
  return bytes && bytes->find_first_not_of('\n') == std::string_view::npos;
}

std::span<const TokenId> without_thinking(std::span<const TokenId> ids, const Tokenizer& tokenizer) {
  const auto end = tokenizer.find_added(kThinkEnd);
  if (!end) return ids;
  for (std::size_t i = ids.size(); i > 0; --i) {
    if (ids[i - 1] != *end) continue;
    ids = ids.subspan(i);
    while (!ids.empty() && is_line_breaks(tokenizer, ids.front())) ids = ids.subspan(1);
    break;
  }
  return ids;
}

}  // namespace

std::int64_t Turn::n_bytes() const noexcept {
  if (input == Input::text) return static_cast<std::int64_t>(text->n_bytes() - prefix_bytes) + unread_bytes;
  return (tokens.empty() ? 0 : tokens.back().verdict.byte_end) + unread_bytes;
}

std::size_t Turn::n_header_tokens() const noexcept {
  if (!text || prefix_bytes == 0) return 0;
  const auto ranges = text->ranges();
  std::size_t n = 0;
  while (n < ranges.size() && ranges[n].end <= prefix_bytes) ++n;
  return n;
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
                       : turn.text                       ? turn.text->ids()
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
    const auto answer = without_thinking(turn.given, *tokenizer_);
    ids.insert(ids.end(), answer.begin(), answer.end());
  } else {
    std::string text = turn.text ? std::string(turn.text->text()) : std::string();
    if (invalid_utf8_ == InvalidUtf8::replace) text = replace_invalid_utf8(text);
    Q3G_TRY(append_text(*tokenizer_, role + std::string(without_thinking(text)), ids));
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
  return &turn;
}

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
    turn.text->undo();
    throw;
  }
  old_keep_ = keep;
  ids_.resize(old_keep_);
  ids_.insert(ids_.end(), fresh.begin(), fresh.end());
  is_text_changed_ = true;
  return old_keep_;
}

Result<std::size_t> Transcript::push_text(std::string_view bytes) {
  Q3G_TRY(need_tokenizer());
  Q3G_ASSIGN(Turn * turn, need_open(Turn::Input::text));
  if (!turn->text) {
    IncrementalEncoder text(*tokenizer_, invalid_utf8_);
    if (turn->role != Role::assistant) {
      const std::string prefix = role_line(turn->role);
      Q3G_TRY(text.append(prefix));
      turn->prefix_bytes = prefix.size();
    }
    turn->text = std::move(text);
    turn->input = Turn::Input::text;
  }
  Q3G_TRY(turn->text->append(bytes));
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
  if (turn.input == Turn::Input::none && turn.role != Role::assistant) Q3G_TRY(push_text(""));
  if (turn.input != Turn::Input::text || turn.is_stopped) {
    old_keep_ = ids_.size();
    old_tail_.clear();
    is_text_changed_ = false;
    return ids_.size();
  }
  Q3G_TRY(turn.text->finish());
  return follow_text(turn);
}

Result<std::size_t> Transcript::push_tokens(std::span<const TokenId> ids) {
  Q3G_ASSIGN(Turn * turn, need_open(Turn::Input::tokens));
  if (turn->input == Turn::Input::none && turn->role != Role::assistant) {
    Q3G_TRY(need_tokenizer());
    Q3G_TRY(append_markup(*tokenizer_, role_line(turn->role), ids_));
    turn->text_begin = ids_.size();
  }
  old_keep_ = ids_.size();
  old_tail_.clear();
  is_text_changed_ = false;
  turn->given.reserve(turn->given.size() + ids.size());
  ids_.reserve(ids_.size() + ids.size());
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  turn->given.insert(turn->given.end(), ids.begin(), ids.end());
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
  if (turn.input == Turn::Input::text) {
    const std::size_t byte = std::min(static_cast<std::size_t>(n) + turn.prefix_bytes, turn.text->n_bytes());
    if (byte < turn.text->dropped_bytes()) return slid;
    Q3G_TRY(turn.text->truncate(byte));
    if (turn.text->n_unchanged() < turn.n_slid) {
      turn.text->undo();
      return slid;
    }
    return follow_text(turn);
  }
  std::size_t n_kept = turn.tokens.size();
  while (n_kept > 0 && turn.tokens[n_kept - 1].verdict.byte_end > n) --n_kept;
  if (n_kept == 0 && turn.n_slid > 0) return slid;
  return rewind_to_token(static_cast<std::int64_t>(n_kept + turn.n_slid));
}

Result<std::size_t> Transcript::rewind_to_token(std::int64_t n) {
  Turn& turn = turns_.back();
  const auto n_slid = static_cast<std::int64_t>(turn.n_slid);
  if (n < n_slid || n > n_slid + static_cast<std::int64_t>(turn.given.size())) {
    return Error{ErrorCode::invalid_argument,
                 "stream: token " + std::to_string(n) + " is not one of the turn's tokens " +
                     std::to_string(n_slid) + " to " + std::to_string(turn.given.size() + turn.n_slid)};
  }
  const auto n_kept = static_cast<std::size_t>(n - n_slid);
  old_keep_ = turn.text_begin + n_kept;
  old_tail_.assign(ids_.begin() + at(old_keep_), ids_.end());
  ids_.resize(old_keep_);
  turn.given.resize(n_kept);
  is_text_changed_ = false;
  return old_keep_;
}

void Transcript::undo() noexcept {
  Turn& turn = turns_.back();
  turn.is_open = true;
  if (is_text_changed_) turn.text->undo();
  is_text_changed_ = false;
  // No allocation: the tape held as much before.
  ids_.resize(old_keep_);
  ids_.insert(ids_.end(), old_tail_.begin(), old_tail_.end());
  if (turn.input == Turn::Input::tokens) turn.given.assign(ids_.begin() + at(turn.text_begin), ids_.end());
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
  const PolicyState state = turn.state();
  for (const std::int32_t index : {state.run_begin, state.unsafe_at, state.unsafe_begin,
                                   state.controversial_at, state.controversial_begin}) {
    const TokenVerdict* token = turn.verdict(index);
    const bool is_kept = index >= 0 && static_cast<std::size_t>(index) >= turn.n_slid + n;
    if (token == nullptr || is_kept) continue;
    const bool is_noted = std::any_of(turn.landmarks.begin(), turn.landmarks.end(),
                                      [&](const auto& landmark) { return landmark.first == index; });
    if (!is_noted) turn.landmarks.emplace_back(index, *token);
  }
  const std::size_t n_judged = std::min(n, turn.tokens.size());
  turn.tokens.erase(turn.tokens.begin(), turn.tokens.begin() + at(n_judged));
  if (turn.input == Turn::Input::tokens) turn.given.erase(turn.given.begin(), turn.given.begin() + at(n));
  turn.n_slid += n;
  if (turn.text) turn.text->drop_before(turn.n_slid);
  n_gone_ += n;
}

std::size_t Transcript::memory_bytes() const noexcept {
  std::size_t n =
      (ids_.capacity() + old_tail_.capacity()) * sizeof(TokenId) + turns_.capacity() * sizeof(Turn);
  for (const Turn& turn : turns_) {
    n += turn.tokens.capacity() * sizeof(TurnToken) + turn.given.capacity() * sizeof(TokenId);
    if (turn.text) n += turn.text->memory_bytes();
  }
  return n;
}

}  // namespace qwen3guard::detail

// SPDX-License-Identifier: Apache-2.0
#include "guard/conversation/conversation.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "guard/conversation/message_text.hpp"
#include "guard/conversation/tool_messages.hpp"
#include "util/common_prefix.hpp"
#include "util/error.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

std::ptrdiff_t offset_of(std::size_t n) noexcept { return static_cast<std::ptrdiff_t>(n); }

PlacedTurn placed(ClosedTurn turn) {
  PlacedTurn out;
  if (turn.role == Role::assistant) out.has_reasoning = !split_answer(turn.whole_text()).reasoning.empty();
  out.is_tool_answer = turn.role == Role::user && is_tool_answer(turn.whole_text());
  out.is_fixed = turn.is_partial;
  out.turn = std::make_shared<const ClosedTurn>(std::move(turn));
  return out;
}

/// Errors: context_full (the change reaches what the context has slid past).
Status check_dropped(const OpenTurn& turn) {
  if (turn.n_dropped() == 0 || turn.text().n_unchanged() >= turn.n_prefix_tokens() + turn.n_dropped())
    return {};
  return Error{
      ErrorCode::context_full,
      "stream: a word is longer than the window of the context; its beginning cannot be judged again"};
}

}  // namespace

Conversation::Conversation(const Conversation& other)
    : tokenizer_(other.tokenizer_),
      options_(other.options_),
      markup_(other.markup_),
      ids_(other.ids_),
      turns_(other.turns_),
      open_(other.open_),
      is_open_shared_(other.open_ != nullptr),
      open_begin_(other.open_begin_),
      run_begin_(other.run_begin_),
      next_serial_(other.next_serial_),
      n_gone_(other.n_gone_) {
  other.is_open_shared_ = is_open_shared_;
}

Status Conversation::prepare() {
  if (tokenizer_ == nullptr) {
    return Error{
        ErrorCode::bad_tokenizer,
        "the checkpoint was loaded without a tokenizer; expected one that has its tokenizer's files"};
  }
  if (open_ != nullptr) {
    return error(ErrorCode::invalid_argument, "stream: the ", to_string(open_->role()),
                 "'s turn is open; end_turn() comes before the next");
  }
  if (options_.has_markup && markup_ == nullptr) {
    Q3G_ASSIGN(markup_, ChatMarkup::make(*tokenizer_));
  }
  return {};
}

OpenTurn& Conversation::writable() {
  if (is_open_shared_) {
    open_ = std::make_shared<OpenTurn>(*open_);
    is_open_shared_ = false;
  }
  return *open_;
}

Result<const OpenTurn*> Conversation::need_open() const {
  if (open_ != nullptr) return open_.get();
  return Error{ErrorCode::invalid_argument,
               "stream: no turn is open; push_prompt() or begin_turn() comes first"};
}

std::size_t Conversation::replace_tail(std::size_t begin, std::span<const TokenId> tail, UndoLog& log) {
  const std::size_t n_same = common_prefix(std::span(ids_).subspan(begin), tail);
  const std::size_t keep = begin + n_same;
  log.keep_tail(ids_, keep);
  ids_.resize(keep);
  ids_.insert(ids_.end(), tail.begin() + offset_of(n_same), tail.end());
  return keep;
}

std::vector<AnswerForm> Conversation::forms(std::optional<Role> next) const {
  // Index of the last turn in which the user asks something; of the last one at all when there is none.
  const std::size_t n = turns_.size() + (next ? 1 : 0);
  std::size_t query = n;
  for (std::size_t i = 0; i < turns_.size(); ++i) {
    if (turns_[i].turn->role == Role::user && !turns_[i].is_tool_answer) query = i;
  }
  if (next == Role::user) query = turns_.size();
  std::vector<AnswerForm> out(turns_.size(), AnswerForm::plain);
  for (std::size_t i = query + 1; i < turns_.size(); ++i) {
    if (turns_[i].turn->role == Role::assistant && (i + 1 == n || turns_[i].has_reasoning))
      out[i] = AnswerForm::thinking;
  }
  return out;
}

Result<RenderedTurn> Conversation::render(const ClosedTurn& turn, AnswerForm form) const {
  if (!turn.is_ids) return markup_->render(turn.role, turn.whole_text(), form, options_.invalid_utf8);
  // Pushed ids stay as they are, without what the template drops of an earlier answer.
  const bool is_plain = turn.role != Role::assistant || form == AnswerForm::plain;
  const bool has_block = !is_plain && !split_answer(turn.text).begins_thinking;
  const ChatMarkup::Opening& opening = markup_->opening(turn.role, has_block);
  RenderedTurn out;
  out.ids = opening.ids;
  out.ids.insert(out.ids.end(), opening.prefix_ids.begin(), opening.prefix_ids.end());
  auto answer = std::span<const TokenId>(turn.ids).first(turn.n_shown);
  if (is_plain && turn.role == Role::assistant) answer = markup_->answer(answer);
  out.ids.insert(out.ids.end(), answer.begin(), answer.end());
  return out;
}

Result<std::size_t> Conversation::reform(std::optional<Role> next, UndoLog& log) {
  if (markup_ == nullptr) return std::size_t{0};
  const std::vector<AnswerForm> wanted = forms(next);
  const auto is_as_wanted = [&](std::size_t i) {
    return turns_[i].is_rendered && (turns_[i].is_fixed || turns_[i].form == wanted[i]);
  };
  std::size_t first = 0;
  while (first < turns_.size() && is_as_wanted(first)) ++first;
  if (first == turns_.size()) return ids_.size();
  const std::size_t begin = turns_[first].begin;
  std::vector<PlacedTurn> placed(turns_.begin() + offset_of(first), turns_.end());
  std::vector<TokenId> tail;
  for (std::size_t i = first; i < turns_.size(); ++i) {
    PlacedTurn& turn = placed[i - first];
    turn.begin = begin + tail.size();
    if (is_as_wanted(i)) {
      const std::size_t end = i + 1 == turns_.size() ? ids_.size() : turns_[i + 1].begin;
      tail.insert(tail.end(), ids_.begin() + offset_of(turns_[i].begin), ids_.begin() + offset_of(end));
      continue;
    }
    Q3G_ASSIGN(RenderedTurn rendered, render(*turn.turn, wanted[i]));
    tail.insert(tail.end(), rendered.ids.begin(), rendered.ids.end());
    tail.insert(tail.end(), markup_->closing().begin(), markup_->closing().end());
    turn.form = wanted[i];
    turn.is_rendered = true;
  }
  log.keep_tail(turns_, first);
  std::move(placed.begin(), placed.end(), turns_.begin() + offset_of(first));
  return replace_tail(begin, tail, log);
}

std::size_t Conversation::n_used_tokens() const noexcept {
  const IncrementalEncoder& text = open_->text();
  if (options_.reads_unsettled || text.is_finished()) return text.n_tokens();
  // The markup in front is there even while the text could still change it.
  return std::max(text.n_settled(), open_->n_prefix_tokens() + open_->n_dropped());
}

void Conversation::set_open(std::shared_ptr<OpenTurn> turn, UndoLog& log) {
  log.keep_value(open_);
  log.keep_value(open_begin_);
  log.keep_value(run_begin_);
  log.keep_value(is_open_shared_);
  open_ = std::move(turn);
  is_open_shared_ = false;
  if (open_ == nullptr || markup_ == nullptr) return;
  log.keep_tail(ids_, ids_.size());
  open_begin_ = ids_.size();
  const ChatMarkup::Opening& opening = markup_->opening(open_->role(), open_->has_think_block());
  ids_.insert(ids_.end(), opening.ids.begin(), opening.ids.end());
  run_begin_ = ids_.size();
  if (open_->input() == OpenTurn::Input::tokens) {
    ids_.insert(ids_.end(), opening.prefix_ids.begin(), opening.prefix_ids.end());
    ids_.insert(ids_.end(), open_->shown().begin(), open_->shown().end());
    return;
  }
  const auto run = open_->text().ids().first(n_used_tokens());
  ids_.insert(ids_.end(), run.begin(), run.end());
}

Result<std::size_t> Conversation::begin(Role role, UndoLog& log) {
  Q3G_TRY(prepare());
  Q3G_ASSIGN(const std::size_t keep, reform(role, log));
  set_open(std::make_shared<OpenTurn>(*tokenizer_, markup_, role, next_serial_, options_.invalid_utf8), log);
  ++next_serial_;
  return keep;
}

Result<std::size_t> Conversation::append(std::span<const Message> messages, UndoLog& log) {
  Q3G_TRY(prepare());
  log.keep_tail(turns_, turns_.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (Status text = check_whole_text(messages[i].content, options_.invalid_utf8); !text.ok()) {
      if (messages.size() == 1) return text.error();
      return error(text.error().code, "messages[", i, "]: ", text.error().detail);
    }
    ClosedTurn turn;
    turn.role = messages[i].role;
    turn.serial = next_serial_++;
    turn.text = messages[i].content;
    turn.n_bytes = static_cast<std::int64_t>(turn.text.size());
    turns_.push_back(placed(std::move(turn)));
    turns_.back().begin = ids_.size();
  }
  return reform(std::nullopt, log);
}

std::size_t Conversation::reopen(bool is_same_opening, UndoLog& log) {
  const std::size_t begin = open_begin_;
  std::vector<TokenId> old(ids_.begin() + offset_of(begin), ids_.end());
  log.keep_tail(ids_, begin);
  ids_.resize(begin);
  set_open(open_, log);
  // Behind another opening, no token is what it was.
  if (!is_same_opening) return begin;
  return std::min(begin + common_prefix(old, std::span(ids_).subspan(begin)), content_begin());
}

std::size_t Conversation::follow_open(bool had_block, std::size_t n_unchanged, UndoLog& log) {
  if (markup_ == nullptr) return 0;
  const OpenTurn& turn = *open_;
  if (had_block != turn.has_think_block() || turn.input() == OpenTurn::Input::tokens) {
    const bool is_same = had_block == turn.has_think_block();
    return reopen(is_same, log);
  }
  const IncrementalEncoder& text = turn.text();
  const std::size_t n_dropped = turn.n_dropped();  // behind the prefix
  const std::size_t n_use = n_used_tokens();
  const std::size_t n_on_tape = n_dropped + (ids_.size() - run_begin_);
  const std::size_t n_same = std::min({n_unchanged, n_on_tape, n_use});
  const std::size_t keep = run_begin_ + (n_same - n_dropped);
  const auto fresh = text.ids().subspan(n_same - text.dropped_tokens(), n_use - n_same);
  log.keep_tail(ids_, keep);
  ids_.resize(keep);
  ids_.insert(ids_.end(), fresh.begin(), fresh.end());
  return keep;
}

Result<std::size_t> Conversation::push_text(std::string_view bytes, UndoLog& log) {
  Q3G_TRY(need_open());
  OpenTurn& turn = writable();
  const bool had_block = turn.has_think_block();
  const std::size_t n_stripped = turn.n_stripped_bytes();
  Q3G_TRY(turn.append_text(bytes, log));
  Q3G_TRY(check_dropped(turn));
  const bool is_new = had_block != turn.has_think_block() || n_stripped != turn.n_stripped_bytes();
  return follow_open(had_block, is_new ? 0 : turn.text().n_unchanged(), log);
}

Result<std::size_t> Conversation::push_ids(std::span<const TokenId> ids, std::size_t n_fit, UndoLog& log) {
  Q3G_TRY(need_open());
  OpenTurn& turn = writable();
  const bool had_block = turn.has_think_block(), was_ids = turn.input() == OpenTurn::Input::tokens;
  Q3G_TRY(turn.append_ids(ids, n_fit, log));
  if (markup_ == nullptr) return std::size_t{0};
  if (!was_ids || had_block != turn.has_think_block()) return follow_open(had_block, 0, log);
  const std::size_t keep = ids_.size();
  log.keep_tail(ids_, keep);
  ids_.insert(ids_.end(), ids.begin(), ids.begin() + offset_of(n_fit));
  return keep;
}

Result<std::size_t> Conversation::finish(UndoLog& log) {
  Q3G_TRY(need_open());
  OpenTurn& turn = writable();
  Q3G_TRY(turn.finish(log));
  if (turn.input() == OpenTurn::Input::tokens) return ids_.size();
  Q3G_TRY(check_dropped(turn));  // marks that waited have changed those before them
  return follow_open(turn.has_think_block(), turn.text().n_unchanged(), log);
}

Result<std::size_t> Conversation::rewind_to_byte(std::int64_t n, UndoLog& log) {
  Q3G_ASSIGN(const OpenTurn* open, need_open());
  if (n < 0 || n > open->n_bytes()) {
    return error(ErrorCode::invalid_argument, "stream: byte ", n, " of a turn of ", open->n_bytes(),
                 " bytes");
  }
  OpenTurn& turn = writable();
  const auto size = static_cast<std::size_t>(n);
  if (turn.input() == OpenTurn::Input::tokens) {
    const auto ends = turn.given_ends();
    const auto n_ids = static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), n) - ends.begin());
    if (n < turn.dropped_end()) return slid_past(n);
    return rewind_to_id(static_cast<std::int64_t>(n_ids + turn.n_dropped()), false, log);
  }
  const bool had_block = turn.has_think_block();
  const std::size_t n_stripped = turn.n_stripped_bytes();
  if (turn.n_dropped() > 0 && size <= n_stripped) return slid_past(n);
  Q3G_TRY(turn.truncate_text(size, log));
  const bool is_new = had_block != turn.has_think_block() || size <= n_stripped;
  const std::size_t n_unchanged = is_new ? 0 : turn.text().n_unchanged();
  if (turn.n_dropped() > 0 && n_unchanged < turn.n_prefix_tokens() + turn.n_dropped()) return slid_past(n);
  return follow_open(had_block, n_unchanged, log);
}

Result<std::size_t> Conversation::rewind_to_id(std::int64_t n, bool keeps_end, UndoLog& log) {
  Q3G_ASSIGN(const OpenTurn* open, need_open());
  const auto first = static_cast<std::int64_t>(open->n_dropped());
  const std::int64_t last = first + static_cast<std::int64_t>(open->given_ends().size());
  if (n < first || n > last) {
    return error(ErrorCode::invalid_argument, "stream: token ", n, " is not one of the turn's tokens ", first,
                 " to ", last);
  }
  OpenTurn& turn = writable();
  const bool had_block = turn.has_think_block();
  turn.truncate_ids(static_cast<std::size_t>(n - first), keeps_end, log);
  if (markup_ == nullptr) return std::size_t{0};
  if (had_block != turn.has_think_block() || turn.input() != OpenTurn::Input::tokens)
    return reopen(had_block == turn.has_think_block(), log);
  const std::size_t keep = std::min(ids_.size(), content_begin() + turn.shown().size());
  log.keep_tail(ids_, keep);
  ids_.resize(keep);
  return keep;
}

Result<ClosedForm> Conversation::close(bool is_fixed, std::size_t max_tokens, UndoLog& log) {
  Q3G_TRY(need_open());
  PlacedTurn turn = placed(open_->closed());
  ClosedForm out;
  out.begin = turn.begin = open_begin_;
  const bool is_answer = turn.turn->role == Role::assistant && !turn.turn->is_ids;
  log.keep_value(open_);
  log.keep_value(is_open_shared_);
  log.keep_tail(turns_, turns_.size());
  open_.reset();
  is_open_shared_ = false;
  turn.is_rendered = markup_ != nullptr;
  turns_.push_back(turn);
  if (markup_ == nullptr) return out;
  const std::span<const TokenId> closing = markup_->closing();
  PlacedTurn& last = turns_.back();
  last.form = forms(std::nullopt).back();
  if (is_answer && !last.is_fixed && !is_fixed) {
    Q3G_ASSIGN(RenderedTurn rendered, render(*last.turn, last.form));
    if (out.begin + rendered.ids.size() + closing.size() <= max_tokens) {
      std::vector<TokenId> tail = rendered.ids;
      tail.insert(tail.end(), closing.begin(), closing.end());
      out.keep = replace_tail(out.begin, tail, log);
      out.end = out.begin + rendered.ids.size();
      out.rendered = std::move(rendered);
      return out;
    }
    is_fixed = true;
  }
  // As it was written: an answer of ids has its block until another turn begins.
  if (last.turn->role == Role::assistant) last.form = AnswerForm::thinking;
  last.is_fixed = last.is_fixed || is_fixed;
  out.keep = out.end = ids_.size();
  log.keep_tail(ids_, ids_.size());
  ids_.insert(ids_.end(), closing.begin(), closing.end());
  if (last.is_tool_answer) {
    // Nobody was asked: the answers before it go on, in another form.
    Q3G_ASSIGN(const std::size_t keep, reform(std::nullopt, log));
    out.keep = std::min(out.keep, keep);
    out.begin = turns_.back().begin;
    out.end = ids_.size() - closing.size();
  }
  return out;
}

Result<std::size_t> Conversation::go_back(std::size_t index, bool opens, UndoLog& log) {
  const std::shared_ptr<const ClosedTurn> back = turns_[index].turn;
  if (opens && back->is_partial) {
    return Error{ErrorCode::invalid_argument,
                 "stream: the context has slid past the beginning of the turn to go back to"};
  }
  std::shared_ptr<OpenTurn> turn;
  if (opens) {
    UndoLog unused;  // of a turn that nobody has yet
    turn = std::make_shared<OpenTurn>(*tokenizer_, markup_, back->role, back->serial, options_.invalid_utf8);
    if (back->is_ids) {
      Q3G_TRY(turn->append_ids(back->ids, back->n_shown, unused));
      if (back->model_end >= 0) turn->set_model_end(back->model_end, unused);
    } else if (!back->text.empty()) {
      Q3G_TRY(turn->append_text(back->text, unused));
    }
  }
  // Where the open turn, or what follows the last one now, begins.
  const std::vector<TokenId> old = ids_;
  const std::size_t n_stay = index + (opens ? 0 : 1);
  const std::size_t end = n_stay < turns_.size() ? turns_[n_stay].begin
                          : open_ != nullptr     ? open_begin_
                                                 : ids_.size();
  log.keep_tail(turns_, n_stay);
  turns_.resize(n_stay);
  if (markup_ != nullptr) {
    log.keep_tail(ids_, end);
    ids_.resize(end);
  }
  set_open(nullptr, log);
  Q3G_TRY(reform(opens ? std::optional<Role>(back->role) : std::nullopt, log));
  if (opens) set_open(std::move(turn), log);
  return common_prefix(old, ids_);
}

void Conversation::cut_tape(std::size_t n, UndoLog& log) {
  log.keep_tail(ids_, n);
  ids_.resize(n);
}

Conversation::Dropped Conversation::drop_turns(std::size_t n, UndoLog& log) {
  const std::size_t first = !turns_.empty() && turns_.front().turn->role == Role::system ? 1 : 0;
  const std::size_t kept_before = first < turns_.size() ? turns_[first].begin : 0;
  std::size_t last = first;
  while (last < turns_.size() && kept_before + (ids_.size() - turns_[last].begin) > n) ++last;
  if (last == first) return {ids_.size(), first, 0};
  const std::size_t begin = turns_[first].begin;
  const std::size_t n_dropped = (last < turns_.size() ? turns_[last].begin : ids_.size()) - begin;
  log.keep_tail(turns_, first);
  log.keep_tail(ids_, begin);
  log.keep_value(n_gone_);
  ids_.erase(ids_.begin() + offset_of(begin), ids_.begin() + offset_of(begin + n_dropped));
  turns_.erase(turns_.begin() + offset_of(first), turns_.begin() + offset_of(last));
  for (std::size_t i = first; i < turns_.size(); ++i) turns_[i].begin -= n_dropped;
  n_gone_ += n_dropped;
  return {begin, first, last - first};
}

void Conversation::slide(std::size_t begin, std::size_t end) {
  writable().drop_front(end - begin);
  if (markup_ == nullptr) return;
  ids_.erase(ids_.begin() + offset_of(begin), ids_.begin() + offset_of(end));
  n_gone_ += end - begin;
}

void Conversation::clear() noexcept {
  ids_.clear();
  turns_.clear();
  open_.reset();
  is_open_shared_ = false;
  n_gone_ = 0;
}

bool Conversation::exceeds(std::string_view bytes, std::size_t n_tokens) const {
  if (open_ == nullptr) return false;
  // On the tape, the turn's first tokens stand behind all that came before, and some may have slid away.
  const std::size_t n_before = markup_ == nullptr ? 0 : run_begin_;
  return open_->exceeds(bytes, open_->n_dropped() + (n_tokens - std::min(n_tokens, n_before)));
}

std::string_view Conversation::first_part(std::string_view bytes, std::size_t n_tokens) const {
  // The tokens at the end of what is read can still change.
  constexpr std::size_t kMoreTokens = 64, kMoreBytes = 4096;
  const std::size_t n_most = n_tokens + kMoreTokens;
  if (!exceeds(bytes, n_most)) return bytes;
  std::size_t least = 0, most = 16 * kMoreBytes;
  while (most < bytes.size() && !exceeds(bytes.substr(0, most), n_most)) {
    least = most;
    most *= 2;
  }
  most = std::min(most, bytes.size());
  while (most - least > kMoreBytes) {
    const std::size_t middle = least + (most - least) / 2;
    (exceeds(bytes.substr(0, middle), n_most) ? most : least) = middle;
  }
  return whole_characters(bytes.substr(0, most));
}

std::size_t Conversation::memory_bytes() const noexcept {
  std::size_t n = ids_.capacity() * sizeof(TokenId) + turns_.capacity() * sizeof(PlacedTurn);
  for (const PlacedTurn& placed : turns_) {
    const ClosedTurn& turn = *placed.turn;
    n += sizeof turn + turn.text.capacity() + turn.ids.capacity() * sizeof(TokenId);
  }
  return n + (open_ != nullptr ? open_->memory_bytes() : 0);
}

Result<std::vector<TokenId>> render_chat(const Tokenizer& tokenizer, std::span<const Message> messages,
                                         bool adds_generation_prompt) {
  std::vector<Message> storage;
  UndoLog log;
  Conversation conversation(&tokenizer, {});
  Q3G_TRY(conversation.append(fold_tools(messages, storage), log));
  const auto finished = conversation.ids();
  std::vector<TokenId> out(finished.begin(), finished.end());
  if (adds_generation_prompt) {
    // As the template has it: an answer before it stays as it is until the next one begins.
    const ChatMarkup::Opening& opening = conversation.markup()->opening(Role::assistant, true);
    out.insert(out.end(), opening.ids.begin(), opening.ids.end());
    out.insert(out.end(), opening.prefix_ids.begin(), opening.prefix_ids.end());
  }
  return out;
}

}  // namespace qwen3guard::detail

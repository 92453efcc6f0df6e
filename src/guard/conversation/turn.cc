// SPDX-License-Identifier: Apache-2.0
#include "guard/conversation/turn.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "util/error.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {

Error slid_past(std::int64_t byte) {
  return error(ErrorCode::invalid_argument, "stream: byte ", byte,
               " lies before the window that the context has slid to");
}

OpenTurn::OpenTurn(const Tokenizer& tokenizer, std::shared_ptr<const ChatMarkup> markup, Role role,
                   std::uint64_t serial, InvalidUtf8 invalid_utf8)
    : tokenizer_(tokenizer),
      markup_(std::move(markup)),
      role_(role),
      serial_(serial),
      invalid_utf8_(invalid_utf8),
      has_think_block_(markup_ != nullptr && role == Role::assistant),
      prefix_bytes_(prefix(has_think_block_).size()),
      text_(new_text(prefix(has_think_block_), 0)) {
  count_prefix_tokens();
}

const std::string& OpenTurn::prefix(bool has_think_block) const noexcept {
  static const std::string kNone;
  return markup_ == nullptr ? kNone : markup_->opening(role_, has_think_block).prefix;
}

IncrementalEncoder OpenTurn::new_text(const std::string& prefix, std::size_t n_stripped) const {
  // The bytes that an error names are the host's: those stripped are counted, the prefix is not. The
  // difference may wrap around, and comes back when it is added to.
  IncrementalEncoder text(tokenizer_, invalid_utf8_, prefix.size() - n_stripped);
  static_cast<void>(text.append(prefix));  // our own markup, which is UTF-8
  return text;
}

void OpenTurn::count_prefix_tokens() noexcept {
  if (input_ == Input::tokens || text_.dropped_tokens() > 0) return;
  n_prefix_tokens_ = count_tokens_within(tokenizer_, text_.ids(), prefix_bytes_);
}

Status OpenTurn::check_input(Input input) const {
  if (input_ != Input::none && input_ != input) {
    return Error{ErrorCode::invalid_argument,
                 input_ == Input::text ? "stream: this turn is written as text; expected push_text()"
                                       : "stream: this turn is written as tokens; expected push_tokens()"};
  }
  if (model_end_ >= 0) {
    return error(ErrorCode::invalid_argument, "stream: the model ended this turn with token ", model_end_,
                 "; expected end_turn()");
  }
  return {};
}

/// What a changed text replaces.
struct OpenTurn::TextState {
  IncrementalEncoder text;
  Input input;
  bool has_think_block;
  std::size_t prefix_bytes, n_stripped, n_prefix_tokens;
};

Status OpenTurn::restart(bool has_think_block, std::size_t n_stripped, std::string_view host, UndoLog& log) {
  IncrementalEncoder text = new_text(prefix(has_think_block), n_stripped);
  Q3G_TRY(text.append(host));
  // The text moves into the log, so that nothing of it is copied.
  auto old =
      std::make_shared<TextState>(TextState{IncrementalEncoder(tokenizer_, invalid_utf8_), input_,
                                            has_think_block_, prefix_bytes_, n_stripped_, n_prefix_tokens_});
  log.add([this, old] {
    text_ = std::move(old->text);
    input_ = old->input;
    has_think_block_ = old->has_think_block;
    prefix_bytes_ = old->prefix_bytes;
    n_stripped_ = old->n_stripped;
    n_prefix_tokens_ = old->n_prefix_tokens;
  });
  old->text = std::move(text_);
  text_ = std::move(text);
  input_ = Input::text;
  has_think_block_ = has_think_block;
  prefix_bytes_ = prefix(has_think_block).size();
  n_stripped_ = n_stripped;
  count_prefix_tokens();
  return {};
}

Status OpenTurn::append_text(std::string_view bytes, UndoLog& log) {
  Q3G_TRY(check_input(Input::text));
  const bool is_response = markup_ != nullptr && role_ == Role::assistant;
  const std::string_view host = host_text();
  if (is_response && host.size() < kThinkBegin.size()) {
    std::size_t n_stripped = n_stripped_;
    std::string_view rest = bytes;
    if (host.empty()) {
      rest = without_line_breaks(bytes);
      n_stripped += bytes.size() - rest.size();
    }
    const std::string begin = std::string(host) + std::string(rest.substr(0, kThinkBegin.size()));
    const bool has_think_block = !begin.starts_with(kThinkBegin);
    if (n_stripped != n_stripped_ || has_think_block != has_think_block_)
      return restart(has_think_block, n_stripped, std::string(host) + std::string(rest), log);
  }
  log.keep_value(input_);
  log.keep_value(n_prefix_tokens_);
  Q3G_TRY(log.perform([&] { return text_.append(bytes); }, [this] { text_.undo(); }));
  input_ = Input::text;
  count_prefix_tokens();
  return {};
}

Status OpenTurn::append_ids(std::span<const TokenId> ids, std::size_t n_fit, UndoLog& log) {
  Q3G_TRY(check_input(Input::tokens));
  log.keep_value(input_);
  log.keep_value(has_think_block_);
  log.keep_value(n_prefix_tokens_);
  log.keep_value(n_shown_);
  log.add([this, n = given_.size()] { given_.resize(n); });
  log.add([this, n = given_ends_.size()] { given_ends_.resize(n); });
  log.add([this, n = spelled_.size()] { spelled_.resize(n); });
  given_.insert(given_.end(), ids.begin(), ids.end());
  n_shown_ += n_fit;
  for (const TokenId id : ids) {
    spelled_ += tokenizer_.token_bytes(id).value_or(std::string_view());
    given_ends_.push_back(dropped_end_ + static_cast<std::int64_t>(spelled_.size()));
  }
  input_ = Input::tokens;
  if (markup_ != nullptr && role_ == Role::assistant && n_dropped_ == 0)
    has_think_block_ = !without_line_breaks(spelled_).starts_with(kThinkBegin);
  if (markup_ != nullptr) n_prefix_tokens_ = markup_->opening(role_, has_think_block_).prefix_ids.size();
  return {};
}

void OpenTurn::set_model_end(TokenId id, UndoLog& log) {
  log.keep_value(model_end_);
  model_end_ = id;
}

Status OpenTurn::finish(UndoLog& log) {
  if (input_ == Input::tokens) return {};
  log.keep_value(input_);
  log.keep_value(n_prefix_tokens_);
  Q3G_TRY(log.perform([&] { return text_.finish(); }, [this] { text_.undo(); }));
  input_ = Input::text;
  count_prefix_tokens();
  return {};
}

Status OpenTurn::truncate_text(std::size_t n, UndoLog& log) {
  if (n <= n_stripped_) {
    const bool is_response = markup_ != nullptr && role_ == Role::assistant;
    Q3G_TRY(restart(is_response, n, {}, log));
    if (n == 0) input_ = Input::none;
    return {};
  }
  const std::size_t n_host = n - n_stripped_;
  if (markup_ != nullptr && role_ == Role::assistant && !has_think_block_ && n_host < kThinkBegin.size())
    return restart(true, n_stripped_, std::string(host_text().substr(0, n_host)), log);
  const std::size_t byte = n_host + prefix_bytes_;
  if (byte < text_.dropped_bytes()) return slid_past(static_cast<std::int64_t>(n));
  log.keep_value(n_prefix_tokens_);
  Q3G_TRY(log.perform([&] { return text_.truncate(byte); }, [this] { text_.undo(); }));
  count_prefix_tokens();
  return {};
}

void OpenTurn::truncate_ids(std::size_t n, bool keeps_end, UndoLog& log) {
  log.keep_value(n_shown_);
  log.keep_value(input_);
  log.keep_value(has_think_block_);
  log.keep_value(n_prefix_tokens_);
  log.keep_value(model_end_);
  log.keep_tail(given_, n);
  log.keep_tail(given_ends_, n);
  const auto n_bytes = static_cast<std::size_t>((n == 0 ? dropped_end_ : given_ends_[n - 1]) - dropped_end_);
  log.add(
      [this, n_bytes, old = spelled_.substr(n_bytes)] { spelled_.replace(n_bytes, std::string::npos, old); });
  given_.resize(n);
  n_shown_ = std::min(n, n_shown_);
  given_ends_.resize(n);
  spelled_.resize(n_bytes);
  if (!keeps_end) model_end_ = -1;
  if (markup_ != nullptr && role_ == Role::assistant && n_dropped_ == 0)
    has_think_block_ = !without_line_breaks(spelled_).starts_with(kThinkBegin);
  if (n > 0 || keeps_end || n_dropped_ > 0) {
    if (markup_ != nullptr) n_prefix_tokens_ = markup_->opening(role_, has_think_block_).prefix_ids.size();
    return;
  }
  // As a turn that nothing was written in.
  input_ = Input::none;
  count_prefix_tokens();
}

void OpenTurn::drop_front(std::size_t n) {
  n_dropped_ += n;
  if (input_ != Input::tokens) {
    text_.drop_before(n_prefix_tokens_ + n_dropped_);
    return;
  }
  const std::int64_t end = n == 0 ? dropped_end_ : given_ends_[n - 1];
  spelled_.erase(0, static_cast<std::size_t>(end - dropped_end_));
  given_.erase(given_.begin(), given_.begin() + static_cast<std::ptrdiff_t>(n));
  n_shown_ -= n;
  given_ends_.erase(given_ends_.begin(), given_ends_.begin() + static_cast<std::ptrdiff_t>(n));
  dropped_end_ = end;
}

std::string_view OpenTurn::host_text() const noexcept {
  if (input_ == Input::tokens) return spelled_;
  const std::string_view text = text_.text();
  const std::size_t n_prefix = prefix_bytes_ - std::min(prefix_bytes_, text_.dropped_bytes());
  return text.substr(std::min(n_prefix, text.size()));
}

std::int64_t OpenTurn::n_bytes() const noexcept {
  if (input_ == Input::tokens) return given_ends_.empty() ? dropped_end_ : given_ends_.back();
  return static_cast<std::int64_t>(n_stripped_ + text_.n_bytes() - prefix_bytes_);
}

ByteRange OpenTurn::host_range(ByteRange range) const noexcept {
  return {n_stripped_ + std::max(range.begin, prefix_bytes_) - prefix_bytes_,
          n_stripped_ + std::max(range.end, prefix_bytes_) - prefix_bytes_};
}

bool OpenTurn::exceeds(std::string_view bytes, std::size_t n_tokens) const {
  return input_ != Input::tokens && text_.exceeds(bytes, n_tokens);
}

ClosedTurn OpenTurn::closed() const {
  ClosedTurn out;
  out.role = role_;
  out.serial = serial_;
  out.is_ids = input_ == Input::tokens;
  out.is_partial = n_dropped_ > 0;
  out.text = std::string(out.is_ids ? 0 : n_stripped_, '\n');
  out.text += host_text();
  out.ids = given_;
  out.n_shown = n_shown_;
  out.model_end = model_end_;
  out.n_incomplete_bytes = n_incomplete_bytes();
  out.n_bytes = n_bytes();
  out.n_stripped_bytes = out.is_ids ? 0 : n_stripped_;
  out.n_ids = static_cast<std::int64_t>(n_dropped_ + given_.size());
  return out;
}

std::size_t OpenTurn::memory_bytes() const noexcept {
  return sizeof *this + text_.memory_bytes() + spelled_.capacity() + given_.capacity() * sizeof(TokenId) +
         given_ends_.capacity() * sizeof(std::int64_t);
}

}  // namespace qwen3guard::detail

// SPDX-License-Identifier: Apache-2.0
#include "guard/hold_back/held_text.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

double ms_between(HeldText::TimePoint begin, HeldText::TimePoint end) noexcept {
  return std::chrono::duration<double, std::milli>(end - begin).count();
}

}  // namespace

void HeldText::put(std::string_view bytes, TimePoint now) {
  puts_.push_back({end_byte() + static_cast<std::int64_t>(bytes.size()), now});
  text_.append(bytes);
  stats_.put_bytes += static_cast<std::int64_t>(bytes.size());
}

void HeldText::take_back_put(std::size_t n) noexcept {
  text_.resize(text_.size() - n);
  puts_.pop_back();
  stats_.put_bytes -= static_cast<std::int64_t>(n);
}

void HeldText::apply(const StreamUpdate& update) {
  // Tokens in front of those that are kept were shown.
  if (update.first < first_token_) {
    tokens_.clear();
    first_token_ = update.first;
  }
  tokens_.resize(std::min(update.first - first_token_, tokens_.size()));
  if (update.first > n_tokens()) {
    // Somebody else has changed the session.
    fail();
    return;
  }
  if (blocked_token_ && *blocked_token_ >= update.first) blocked_token_.reset();
  for (const TokenVerdict& token : update.tokens) {
    if (blocks(token) && !blocked_token_) blocked_token_ = n_tokens();
    tokens_.push_back(
        {token.byte_begin, token.byte_end, blocks(token), token.source == VerdictSource::written});
  }
  n_settled_ = std::min(update.n_settled, n_tokens());
}

/// Where what is to be taken back begins, when the policy blocks from `token` on.
std::int64_t HeldText::take_back_begin(const Decision& decision, std::size_t token) const noexcept {
  std::int64_t begin = end_byte();
  const Ruling& ruling = decision.ruling;
  if (blocks(decision)) {
    const bool has_place = ruling.position || ruling.byte_begin < ruling.byte_end;
    begin = std::min(begin, has_place ? ruling.byte_begin : begin_byte_);
  }
  if (token >= n_tokens()) return begin;
  const auto place = tokens_.begin() + static_cast<std::ptrdiff_t>(token - first_token_);
  begin = std::min(begin, place->byte_begin);
  if (!place->is_written) return begin;
  // It is about all text behind the verdict before it.
  const auto before = std::find_if(std::make_reverse_iterator(place), tokens_.rend(),
                                   [](const Token& other) { return other.is_written; });
  return std::min(begin, before != tokens_.rend() ? before->byte_end : shown_end_);
}

void HeldText::look(const Decision& decision, bool has_ended) {
  judged_end_ = decision.is_complete ? std::numeric_limits<std::int64_t>::max()
                : has_ended          ? shown_end_
                                     : decision.unjudged_begin;
  block_.reset();
  if (!blocked_token_ && !blocks(decision)) return;
  const bool has_settled_token = blocked_token_ && *blocked_token_ < n_settled_;
  FoundBlock found;
  found.decision = decision;
  found.is_settled = has_ended || has_settled_token || (blocks(decision) && decision.ruling.is_settled);
  found.token = blocked_token_.value_or(n_tokens());
  found.byte_begin = take_back_begin(decision, found.token);
  block_ = std::move(found);
}

void HeldText::update(const StreamUpdate& update, const Decision& decision) {
  if (is_withheld_) return;
  apply(update);
  if (!is_blocked()) look(decision, false);
}

void HeldText::judge_prompt(const Decision& decision) {
  if (is_withheld_ || !blocks(decision)) return;
  block_.emplace();
  block_->decision = decision;
  block_->is_settled = prompt_is_blocked_ = true;
}

void HeldText::end(const StreamUpdate& update, const Decision& decision) {
  if (is_withheld_) return;
  apply(update);
  if (is_blocked()) return;
  look(decision, true);
  if (block_) return;
  // An answer without text has nothing that could be judged.
  if (decision.is_complete || end_byte() == 0)
    is_free_ = true;
  else
    withhold();
}

/// Tokens that begin at `byte` or behind it are taken back unseen.
void HeldText::note_withdrawn(std::int64_t byte) noexcept {
  for (auto token = tokens_.rbegin(); token != tokens_.rend() && token->byte_begin >= byte; ++token)
    ++stats_.withdrawn_tokens;
}

void HeldText::withhold() noexcept {
  note_withdrawn(shown_end_);
  stats_.withdrawn_bytes += static_cast<std::int64_t>(text_.size());
  text_.clear();
  puts_.clear();
  tokens_.clear();
  block_.reset();
  prompt_is_blocked_ = is_free_ = false;
  is_withheld_ = true;
}

void HeldText::rewind(std::int64_t byte, const StreamUpdate& update, const Decision& decision) {
  note_withdrawn(std::max(byte, shown_end_));
  if (byte < shown_end_) {
    stats_.retracted_bytes += shown_end_ - byte;
    stats_.withdrawn_bytes += static_cast<std::int64_t>(text_.size());
    shown_end_ = byte;
    text_.clear();
  } else {
    stats_.withdrawn_bytes += end_byte() - byte;
    text_.resize(static_cast<std::size_t>(byte - shown_end_));
  }
  while (!puts_.empty() && (text_.empty() || (puts_.size() > 1 && puts_[puts_.size() - 2].byte_end >= byte)))
    puts_.pop_back();
  if (!puts_.empty()) puts_.back().byte_end = byte;
  block_.reset();
  is_free_ = false;
  apply(update);
  look(decision, false);
}

/// Text that was put long enough ago ends here.
std::int64_t HeldText::old_end(TimePoint now) const noexcept {
  std::int64_t end = shown_end_;
  if (options_.release_after_ms <= 0) return end;
  for (const Put& put : puts_) {
    if (ms_between(put.time, now) < options_.release_after_ms) break;
    end = put.byte_end;
  }
  return end;
}

/// What may be shown ends here.
std::int64_t HeldText::free_end(TimePoint now) const noexcept {
  if (has_failed_ || is_withheld_ || prompt_is_blocked_) return shown_end_;
  if (is_free_) return end_byte();
  if (block_ && !block_->is_settled) return shown_end_;
  // What leaves in front of a block does not depend on how the text was cut.
  const std::size_t newest = std::min(block_ ? block_->token : n_settled_, n_settled_);
  const std::int64_t most = block_ ? std::min(judged_end_, block_->byte_begin) : judged_end_;
  const std::int64_t old = block_ ? shown_end_ : old_end(now);
  const auto buffer = static_cast<std::size_t>(options_.buffer_tokens);
  std::int64_t end = shown_end_;
  std::size_t i = 0;
  for (; i < tokens_.size(); ++i) {
    const std::size_t index = first_token_ + i;
    const Token& token = tokens_[i];
    if (index >= newest || token.byte_end > most) break;
    if (index + buffer >= newest && token.byte_end > old) break;
    end = std::max(end, token.byte_end);
  }
  // Tokens can share a character: it leaves with the last of them.
  if (i < tokens_.size()) end = std::min(end, tokens_[i].byte_begin);
  end = std::clamp(end, shown_end_, end_byte());
  const std::string_view text = std::string_view(text_).substr(0, static_cast<std::size_t>(end - shown_end_));
  return end - static_cast<std::int64_t>(incomplete_bytes(text));
}

/// The text up to `end` leaves.
void HeldText::note_shown(std::int64_t end, TimePoint now) noexcept {
  stats_.shown_bytes += end - shown_end_;
  for (; !puts_.empty() && puts_.front().byte_end <= end; puts_.pop_front()) {
    const double waited_ms = ms_between(puts_.front().time, now);
    stats_.wait_ms += waited_ms;
    stats_.max_wait_ms = std::max(stats_.max_wait_ms, waited_ms);
    ++stats_.n_waits;
  }
  for (; !tokens_.empty() && tokens_.front().byte_end <= end && first_token_ < n_settled_;
       tokens_.pop_front(), ++first_token_) {
    // Behind a rewind the last word that was shown is judged again.
    if (tokens_.front().byte_end <= shown_end_) continue;
    ++stats_.shown_tokens;
    if (tokens_.size() > 1) ++stats_.delayed_tokens;
  }
  shown_end_ = end;
}

HoldBackBlock HeldText::block() const {
  HoldBackBlock out;
  out.is_prompt = prompt_is_blocked_;
  out.is_settled = is_blocked();
  if (block_) out.decision = block_->decision;
  out.byte_begin = block_ && !prompt_is_blocked_ ? block_->byte_begin : begin_byte_;
  out.shown_bytes = out.continue_byte = shown_end_;
  out.retries_left = prompt_is_blocked_ ? 0 : retries_left();
  return out;
}

HoldBackRelease HeldText::take(TimePoint now, std::size_t max_bytes) {
  HoldBackRelease out;
  const auto n_free = static_cast<std::size_t>(free_end(now) - shown_end_);
  out.text = text_.substr(0, std::min(n_free, max_bytes));
  if (out.text.size() < n_free) out.text.resize(out.text.size() - incomplete_bytes(out.text));
  out.has_more = out.text.size() < n_free;
  const auto end = shown_end_ + static_cast<std::int64_t>(out.text.size());
  if (!out.text.empty()) {
    out.waited_ms = ms_between(puts_.front().time, now);
    text_.erase(0, out.text.size());
    note_shown(end, now);
  }
  out.is_overdue = std::exchange(is_overdue_, false);
  const bool is_told = is_blocked() || (block_ && options_.reports_provisional);
  if (is_told && !has_failed_ && !out.has_more) out.block = block();
  return out;
}

HoldBackStats HeldText::stats() const noexcept {
  HoldBackStats out = stats_;
  out.held_tokens = std::count_if(tokens_.begin(), tokens_.end(),
                                  [&](const Token& token) { return token.byte_end > shown_end_; });
  return out;
}

}  // namespace qwen3guard::detail

// SPDX-License-Identifier: Apache-2.0
#include "guard/calls/long_message.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

#include "guard/calls/verdict_parts.hpp"
#include "guard/conversation/answer_parts.hpp"
#include "guard/conversation/markup.hpp"
#include "guard/policy/ruling.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "util/common_prefix.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// What a window's text may take more where it stands than alone: its first and last tokens can be others.
constexpr std::size_t kSpareTokens = 4;

/// Offsets into a window's text become offsets into the message.
void move_offsets(Verdict& verdict, std::size_t n_bytes) noexcept {
  const auto n = static_cast<std::int64_t>(n_bytes);
  for (TokenVerdict& token : verdict.token_verdicts) {
    token.byte_begin += n;
    token.byte_end += n;
  }
  if (verdict.ruling.byte_begin == verdict.ruling.byte_end) return;
  verdict.ruling.byte_begin += n;
  verdict.ruling.byte_end += n;
}

}  // namespace

std::string_view LongMessage::judged_text() const noexcept {
  const Message& last = item_.messages.back();
  const std::string_view text = last.content;
  if (options_.thinking != Thinking::skip || last.role != Role::assistant ||
      !split_answer(text).begins_thinking)
    return text;
  const std::size_t end = text.find(kThinkEnd);
  if (end == std::string_view::npos) return text.substr(text.size());
  const std::string_view answer = text.substr(end + kThinkEnd.size());
  return without_line_breaks(answer).empty() ? text.substr(text.size()) : answer;
}

std::size_t LongMessage::overlap_tokens() const noexcept {
  const PolicyRules& rules = options_.policy.rules();
  std::int32_t n = rules.window_overlap_tokens;
  // Each window's debounce begins anew: so that no run is lost that one of them would see only in part.
  if (guard_.is_stream() && item_.messages.back().role == Role::assistant)
    n = std::max(n, rules.debounce.consecutive_tokens - 1);
  return static_cast<std::size_t>(std::max(n, 0));
}

Result<Wave::Placed> LongMessage::place(Wave& wave, std::string_view text) const {
  std::vector<Message> messages(item_.messages.begin(), item_.messages.end() - 1);
  messages.push_back({item_.messages.back().role, std::string(text)});
  auto placed = wave.place(messages);
  if (placed.ok() || placed.error().code != ErrorCode::context_full) return placed;
  return error(ErrorCode::context_full, "before the last message: ", placed.error().detail);
}

Status LongMessage::begin(Wave& wave) {
  text_ = judged_text();
  text_begin_ = item_.messages.back().content.size() - text_.size();
  if (text_.empty() && text_begin_ > 0) return {};  // thinking that is skipped, and no answer
  Q3G_ASSIGN(const Wave::Placed one, place(wave, "a"));
  Q3G_ASSIGN(Wave::Placed other, place(wave, "1"));
  WindowSizes sizes;
  sizes.overlap_tokens = overlap_tokens();
  const auto n_context = static_cast<std::size_t>(guard_.max_context_tokens());
  const std::size_t n_around = one.n_needed - 1 + kSpareTokens;
  sizes.max_tokens = n_context - std::min(n_context, n_around);
  // A message of nothing is in no window: what stands before it is too long.
  if (sizes.max_tokens < sizes.least() || text_.empty()) {
    return error(ErrorCode::context_full, "the conversation before the last message leaves ",
                 sizes.max_tokens, " of the context's ", n_context,
                 " tokens for it; windows that overlap by ", sizes.overlap_tokens, " need ", sizes.least());
  }
  other.ids.resize(common_prefix(one.ids, other.ids));
  Q3G_ASSIGN(beginning_, wave.read(item_.messages.back().role, std::move(other.ids)));
  windows_.emplace(TokenizerAccess::impl(*guard_.tokenizer()), text_, sizes);
  if (guard_.is_stream() && item_.messages.back().role == Role::assistant) windows_->skip_line_breaks();
  return {};
}

Result<std::size_t> LongMessage::add(Wave& wave, ByteRange range) {
  Window& window = open_.emplace_back();
  window.index = ranges_.size();
  window.content_begin = windows_->content_begin();
  window.messages.assign(item_.messages.begin(), item_.messages.end() - 1);
  window.messages.push_back(
      {item_.messages.back().role,
       std::string(text_.substr(window.content_begin, range.end - window.content_begin))});
  window.content_begin += text_begin_;
  window.item.messages = window.messages;
  window.item.beginning = &beginning_;
  window.item.part_of = this;
  auto n_added = wave.add(window.item);
  if (n_added.ok()) {
    ranges_.push_back({text_begin_ + range.begin, text_begin_ + range.end});
  } else {
    open_.pop_back();
  }
  return n_added;
}

Result<std::size_t> LongMessage::add_next(Wave& wave) {
  Q3G_ASSIGN(ByteRange range, windows_->next());
  if (windows_->content_begin() == range.end) {
    // Line breaks up to the end of the message: there is no token to judge in a window of their own.
    ranges_.back().end = text_begin_ + range.end;
    return std::size_t{0};
  }
  for (;;) {
    auto n_added = add(wave, range);
    if (n_added.ok() || n_added.error().code != ErrorCode::context_full) return n_added;
    Q3G_ASSIGN(range, windows_->shrink());
  }
}

void LongMessage::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

void LongMessage::take(BatchItem& window) {
  const auto found =
      std::find_if(open_.begin(), open_.end(), [&](const Window& w) { return &w.item == &window; });
  if (!window.verdict.ok()) {
    const Error& why = window.verdict.error();
    const ByteRange range = ranges_[found->index];
    fail(why.code == ErrorCode::cancelled ? why
                                          : error(why.code, "bytes ", range.begin, " to ", range.end,
                                                  " of the last message: ", why.detail));
  } else {
    judged_.resize(std::max(judged_.size(), found->index + 1));
    move_offsets(*window.verdict, found->content_begin);
    judged_[found->index] = *std::move(window.verdict);
  }
  open_.erase(found);
}

std::optional<Refusal> LongMessage::refusal() const noexcept {
  Refusal all{true, 1}, none{false, 0};
  bool is_known = true, has_answer = false;
  for (const Verdict& v : judged_) {
    is_known = is_known && v.refusal.has_value();
    if (!v.refusal) continue;
    if (v.refusal->value) {
      all.probability = std::min(all.probability, v.refusal->probability);
    } else {
      has_answer = true;
      none.probability = std::max(none.probability, v.refusal->probability);
    }
  }
  if (has_answer) return none;
  return is_known ? std::optional(all) : std::nullopt;
}

Result<Verdict> LongMessage::finish() {
  is_finished_ = true;
  beginning_ = SharedBeginning();
  windows_.reset();
  if (error_) return *std::move(error_);
  if (judged_.empty()) {
    // Thinking that is skipped, and no answer.
    Verdict out;
    out.role = item_.messages.back().role;
    out.ruling = rule_unjudged(options_.policy);
    return out;
  }
  TokenUsage tokens;
  std::vector<Ruling> rulings;
  for (std::size_t i = 0; i < judged_.size(); ++i) {
    Verdict& v = judged_[i];
    v.window =
        VerdictWindow{static_cast<std::int32_t>(i), static_cast<std::int32_t>(judged_.size()),
                      static_cast<std::int64_t>(ranges_[i].begin), static_cast<std::int64_t>(ranges_[i].end)};
    place_in_window(v.ruling, *v.window, v.role);
    rulings.push_back(v.ruling);
    add_tokens(tokens, v.tokens);
  }
  const std::size_t kept = worst_verdict(judged_);
  Verdict out = judged_[kept];
  out.tokens = tokens;
  out.refusal = refusal();
  out.windows = std::move(judged_);
  // A milder severity can lead to a stricter action, as where a policy has switched a category off.
  out.ruling = strictest_ruling(rulings);
  return out;
}

}  // namespace qwen3guard::detail

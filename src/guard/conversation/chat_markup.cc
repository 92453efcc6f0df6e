// SPDX-License-Identifier: Apache-2.0
#include "guard/conversation/chat_markup.hpp"

#include <algorithm>
#include <utility>

#include "tokenizer/incremental_encoder.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

/// "role\n": one text with the content for the tokenizer, as in the rendered string.
std::string role_line(Role role) { return to_string(role) + std::string("\n"); }

/// Collects a turn's text, control tokens and the tokens of what lies between them.
class TurnWriter {
 public:
  TurnWriter(const Tokenizer& tokenizer, InvalidUtf8 invalid_utf8, std::string_view host, RenderedTurn& out)
      : tokenizer_(tokenizer), invalid_utf8_(invalid_utf8), host_(host), out_(out) {}

  void markup(std::string_view text) { run_ += text; }
  /// A part of the host's text.
  void content(std::string_view part) {
    if (part.empty()) return;
    spans_.push_back(
        {{run_.size(), run_.size() + part.size()}, static_cast<std::size_t>(part.data() - host_.data())});
    run_ += part;
  }
  /// Text of the markup that is one token where the vocabulary has it.
  Status added(std::string_view text, std::optional<TokenId> id) {
    if (!id) {
      markup(text);
      return {};
    }
    Q3G_TRY(flush());
    out_.ids.push_back(*id);
    out_.ranges.emplace_back();
    return {};
  }
  Status flush() {
    if (run_.empty()) return {};
    IncrementalEncoder text(tokenizer_, invalid_utf8_);
    Q3G_TRY(text.append(run_));
    Q3G_TRY(text.finish());
    out_.ids.insert(out_.ids.end(), text.ids().begin(), text.ids().end());
    // The markup's own tokens, even where the text behind them begins inside a sequence that NFC looks at.
    const std::size_t n_markup =
        count_tokens_within(tokenizer_, text.ids(), spans_.empty() ? run_.size() : spans_[0].run.begin);
    for (std::size_t i = 0; i < text.ids().size(); ++i)
      out_.ranges.push_back(i < n_markup ? ByteRange() : host_range(text.ranges()[i]));
    run_.clear();
    spans_.clear();
    return {};
  }

 private:
  struct Span {
    ByteRange run;
    std::size_t host_begin;
  };
  [[nodiscard]] ByteRange host_range(ByteRange range) const noexcept {
    ByteRange out;
    for (const Span& span : spans_) {
      const std::size_t begin = std::max(range.begin, span.run.begin),
                        end = std::min(range.end, span.run.end);
      if (begin >= end) continue;
      const std::size_t at = span.host_begin + (begin - span.run.begin);
      if (out.begin == out.end) out.begin = at;
      out.end = at + (end - begin);
    }
    return out;
  }

  const Tokenizer& tokenizer_;
  InvalidUtf8 invalid_utf8_;
  std::string_view host_;
  RenderedTurn& out_;
  std::string run_;  // since the last control token
  std::vector<Span> spans_;
};

/// Index of the first token from `begin` on that is not a line break of the markup's own.
std::size_t behind_line_break(const RenderedTurn& turn, std::size_t begin) noexcept {
  if (begin < turn.ids.size() && turn.ranges[begin].begin == turn.ranges[begin].end) return begin + 1;
  return begin;
}

}  // namespace

Result<ChatMarkup::Opening> ChatMarkup::make_opening(std::string_view header) const {
  // What stands behind the last control token is one text with the turn's.
  std::size_t end = 0;
  Opening out;
  for (const std::string_view token : {kImStart, kThinkBegin, kThinkEnd}) {
    const std::size_t at = header.rfind(token);
    if (at == std::string_view::npos || !tokenizer_.find_added(token)) continue;
    end = std::max(end, at + token.size());
    if (token == kThinkEnd) out.n_judged = 1;
  }
  Q3G_TRY(append_markup(tokenizer_, header.substr(0, end), out.ids));
  out.prefix = header.substr(end);
  Q3G_TRY(append_text(tokenizer_, out.prefix, out.prefix_ids));
  return out;
}

Result<std::shared_ptr<const ChatMarkup>> ChatMarkup::make(const Tokenizer& tokenizer) {
  Q3G_TRY(check_markup_tokens(tokenizer));
  std::shared_ptr<ChatMarkup> out(new ChatMarkup(tokenizer));
  out->think_begin_ = tokenizer.find_added(kThinkBegin);
  out->think_end_ = tokenizer.find_added(kThinkEnd);
  for (const Role role : {Role::system, Role::user, Role::assistant}) {
    Q3G_ASSIGN(out->openings_[static_cast<std::size_t>(role)],
               out->make_opening(std::string(kImStart) + role_line(role)));
  }
  Q3G_ASSIGN(out->openings_[kBlock], out->make_opening(std::string(kImStart) + role_line(Role::assistant) +
                                                       std::string(kNoThinking)));
  Q3G_TRY(append_markup(tokenizer, std::string(kImEnd) + "\n", out->closing_));
  return std::shared_ptr<const ChatMarkup>(std::move(out));
}

Result<RenderedTurn> ChatMarkup::render(Role role, std::string_view text, AnswerForm form,
                                        InvalidUtf8 invalid_utf8) const {
  // A last character that is not complete is left out, or replaced by the encoder.
  if (invalid_utf8 == InvalidUtf8::reject) text = whole_characters(text);
  RenderedTurn out;
  TurnWriter writer(tokenizer_, invalid_utf8, text, out);
  Q3G_TRY(writer.added(kImStart, tokenizer_.find_added(kImStart)));
  writer.markup(role_line(role));
  if (role != Role::assistant) {
    writer.content(text);
    Q3G_TRY(writer.flush());
    return out;
  }
  const AnswerParts parts = split_answer(text);
  if (form == AnswerForm::plain) {
    writer.content(parts.content);
    Q3G_TRY(writer.flush());
    // The role's line is "assistant", a line break.
    while (out.content_begin < out.ids.size() &&
           out.ranges[out.content_begin].begin == out.ranges[out.content_begin].end)
      ++out.content_begin;
    return out;
  }
  Q3G_TRY(writer.added(kThinkBegin, think_begin_));
  const std::size_t reasoning = out.ids.size();
  writer.markup("\n");
  writer.content(parts.reasoning);
  writer.markup("\n");
  Q3G_TRY(writer.added(kThinkEnd, think_end_));
  out.think_end = think_end_ ? out.ids.size() : 0;
  writer.markup("\n\n");
  writer.content(without_line_breaks(parts.content));
  Q3G_TRY(writer.flush());
  if (think_begin_) out.reasoning_begin = behind_line_break(out, reasoning);
  out.content_begin = behind_line_break(out, out.think_end);
  return out;
}

std::span<const TokenId> ChatMarkup::answer(std::span<const TokenId> ids) const {
  if (!think_end_) return ids;
  const auto end = std::find(ids.rbegin(), ids.rend(), *think_end_);
  if (end == ids.rend()) return ids;
  std::span<const TokenId> answer = ids.last(static_cast<std::size_t>(end - ids.rbegin()));
  while (!answer.empty() && without_line_breaks(tokenizer_.token_bytes(answer.front()).value_or("x")).empty())
    answer = answer.subspan(1);
  return answer;
}

}  // namespace qwen3guard::detail

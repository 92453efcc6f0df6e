// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/added_tokens.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "tokenizer/unicode_classes.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

std::size_t before_spaces(std::string_view text, std::size_t first, std::size_t pos) noexcept {
  while (pos > first) {
    std::size_t previous = previous_boundary(text, pos), end = previous;
    if (UnicodeClasses::char_class(next_code_point(text, end)) != CharClass::space) break;
    pos = previous;
  }
  return pos;
}

std::size_t behind_spaces(std::string_view text, std::size_t pos) noexcept {
  for (std::size_t next = pos; next < text.size(); pos = next) {
    if (UnicodeClasses::char_class(next_code_point(text, next)) != CharClass::space) break;
  }
  return pos;
}

}  // namespace

bool is_control_text(std::string_view text) noexcept {
  constexpr std::string_view kSpaces = " \t\r\n", kOpen = "<|", kClose = "|>";
  constexpr std::string_view kForCode[] = {"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
                                           "<|fim_pad|>",    "<|repo_name|>",  "<|file_sep|>"};
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return false;
  text = text.substr(begin, text.find_last_not_of(kSpaces) + 1 - begin);
  return text.size() >= kOpen.size() + kClose.size() && text.starts_with(kOpen) && text.ends_with(kClose) &&
         std::find(std::begin(kForCode), std::end(kForCode), text) == std::end(kForCode);
}

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::sort(tokens_.begin(), tokens_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  for (const AddedToken& token : tokens_) {
    starts_[static_cast<unsigned char>(token.content.front())] = true;
    longest_bytes_ = std::max(longest_bytes_, token.content.size());
    any_strips_ = any_strips_ || token.lstrip || token.rstrip;
  }
}

std::size_t AddedTokenMatcher::unfinished(std::string_view text) const noexcept {
  for (std::size_t i = text.size() - std::min(text.size(), longest_bytes_); i < text.size(); ++i) {
    if (!starts_[static_cast<unsigned char>(text[i])]) continue;
    const std::string_view tail = text.substr(i);
    // The first token that is not less than the tail begins with it when any does; the tail itself may be one
    // too, and then the longer ones follow it.
    auto token = std::lower_bound(tokens_.begin(), tokens_.end(), tail,
                                  [](const AddedToken& t, std::string_view v) { return t.content < v; });
    if (token != tokens_.end() && token->content == tail) ++token;
    if (token != tokens_.end() && std::string_view(token->content).substr(0, tail.size()) == tail) return i;
  }
  return text.size();
}

bool AddedTokenMatcher::spans(std::string_view text, std::size_t pos) const noexcept {
  for (std::size_t i = pos - std::min(pos, longest_bytes_); i < pos; ++i) {
    if (!starts_[static_cast<unsigned char>(text[i])]) continue;
    const AddedToken* token = match(text.substr(i));
    if (token != nullptr && i + token->content.size() > pos) return true;
  }
  return false;
}

/// The longest token that `text` starts with, by narrowing the sorted list one byte at a time.
const AddedToken* AddedTokenMatcher::match(std::string_view text) const noexcept {
  const AddedToken* longest = nullptr;
  auto first = tokens_.begin(), last = tokens_.end();
  for (std::size_t depth = 0; depth < text.size(); ++depth) {
    // All of [first, last) agree on `depth` bytes; one that has no more stands in front.
    const auto key = [depth](const AddedToken& t) {
      return depth < t.content.size() ? static_cast<int>(static_cast<unsigned char>(t.content[depth])) : -1;
    };
    const int byte = static_cast<unsigned char>(text[depth]);
    first = std::partition_point(first, last, [&](const AddedToken& t) { return key(t) < byte; });
    last = std::partition_point(first, last, [&](const AddedToken& t) { return key(t) == byte; });
    if (first == last) break;
    if (first->content.size() == depth + 1) longest = &*first;
  }
  return longest;
}

AddedTokenMatcher::Piece AddedTokenMatcher::next(std::string_view text, std::size_t pos,
                                                 SpecialTokens mode) const noexcept {
  for (std::size_t i = pos; i < text.size();) {
    const AddedToken* token = starts_[static_cast<unsigned char>(text[i])] ? match(text.substr(i)) : nullptr;
    if (token == nullptr) {
      ++i;
      continue;
    }
    const std::size_t end = i + token->content.size();
    if (token->special && mode == SpecialTokens::as_text) {
      i = end;
      continue;
    }
    const std::size_t begin = token->lstrip ? before_spaces(text, pos, i) : i;
    if (begin > pos) return {pos, begin, -1};
    return {pos, token->rstrip ? behind_spaces(text, end) : end, token->id};
  }
  return {pos, text.size(), -1};
}

}  // namespace qwen3guard::detail

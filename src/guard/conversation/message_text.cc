// SPDX-License-Identifier: Apache-2.0
#include "guard/conversation/message_text.hpp"

#include <cstddef>
#include <optional>
#include <string>

#include "tokenizer/incremental_encoder.hpp"
#include "util/error.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {

Result<std::span<const Message>> checked_messages(std::span<const Message> messages, InvalidUtf8 policy,
                                                  std::vector<Message>& storage, std::size_t max_bytes,
                                                  std::size_t max_last_bytes) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const std::string& content = messages[i].content;
    const auto offset = content.size() > (i + 1 < messages.size() ? max_bytes : max_last_bytes)
                            ? std::nullopt
                            : find_invalid_utf8(content);
    if (!offset) {
      if (!storage.empty()) storage.push_back(messages[i]);
      continue;
    }
    if (policy == InvalidUtf8::reject) {
      return error(ErrorCode::invalid_utf8, "messages[", i, "].content: ill-formed UTF-8 at byte ", *offset);
    }
    if (storage.empty()) storage.assign(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(i));
    storage.push_back({messages[i].role, replace_invalid_utf8(content)});
  }
  return storage.empty() ? messages : std::span<const Message>(storage);
}

Status check_whole_text(std::string_view text, InvalidUtf8 policy) {
  const auto offset = policy == InvalidUtf8::reject ? find_invalid_utf8(text) : std::nullopt;
  if (!offset) return {};
  return error(ErrorCode::invalid_utf8, "text: ill-formed UTF-8 at byte ", *offset);
}

Result<std::size_t> first_to_read(const Tokenizer& tokenizer, std::span<const Message> messages,
                                  const StreamOptions& options, std::size_t max_tokens) {
  std::size_t first = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (!IncrementalEncoder(tokenizer, options.invalid_utf8).exceeds(messages[i].content, max_tokens))
      continue;
    const bool is_kept = i == 0 && messages[i].role == Role::system;
    first = i + 1;
    while (first < messages.size() && messages[first].role != Role::user) ++first;
    if (options.context == ContextPolicy::slide && !is_kept && first < messages.size()) continue;
    return error(ErrorCode::context_full, "messages[", i, "]: more than ", max_tokens,
                 " tokens, which is the room that the context has");
  }
  return first;
}

}  // namespace qwen3guard::detail

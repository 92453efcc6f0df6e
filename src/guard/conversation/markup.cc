// SPDX-License-Identifier: Apache-2.0
#include "guard/conversation/markup.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>

#include "qwen3guard/quote.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {

Status append_markup(const Tokenizer& tokenizer, std::string_view text, std::vector<TokenId>& ids) {
  return tokenizer.encode_to(text, SpecialTokens::recognized, ids);
}

Status append_text(const Tokenizer& tokenizer, std::string_view text, std::vector<TokenId>& ids,
                   std::size_t max_tokens) {
  Status status =
      encode_within(TokenizerAccess::impl(tokenizer), text, SpecialTokens::as_text, max_tokens, ids);
  if (status.ok() || status.error().code != ErrorCode::context_full) return status;
  return error(ErrorCode::context_full, "the conversation needs more than ", max_tokens,
               " tokens, which is the room that the context has");
}

std::size_t count_tokens_within(const Tokenizer& tokenizer, std::span<const TokenId> ids,
                                std::size_t n_bytes) noexcept {
  std::size_t n = 0;
  for (std::size_t bytes = 0; n < ids.size(); ++n) {
    bytes += tokenizer.token_bytes(ids[n]).value_or(std::string_view()).size();
    if (bytes > n_bytes) break;
  }
  return n;
}

Result<TokenId> take_model_end(const Tokenizer& tokenizer, Role role, bool are_allowed,
                               std::span<const TokenId>& ids) {
  const auto is_one_of = [&](TokenId id, std::initializer_list<std::string_view> texts) {
    return std::any_of(texts.begin(), texts.end(),
                       [&](std::string_view text) { return tokenizer.find_added(text) == id; });
  };
  const auto is_control = [&](TokenId id) {
    return tokenizer.is_special(id) && !is_one_of(id, {kThinkBegin, kThinkEnd, "<tool_call>", "</tool_call>",
                                                       "<tool_response>", "</tool_response>"});
  };
  TokenId end = -1;
  if (role == Role::assistant && !ids.empty() && is_one_of(ids.back(), {kImEnd, kEndOfText})) {
    end = ids.back();
    ids = ids.first(ids.size() - 1);
  }
  if (are_allowed) return end;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!is_control(ids[i])) continue;
    return error(
        ErrorCode::invalid_argument, "stream: ids[", i, "] is ", ids[i], ", the control token ",
        printable(tokenizer.token_bytes(ids[i]).value_or("")),
        "; expected tokens of the turn's text, and <|im_end|> or <|endoftext|> only where a response "
        "ends, or StreamOptions::allow_control_ids");
  }
  return end;
}

Status check_markup_tokens(const Tokenizer& tokenizer) {
  for (const std::string_view token : {kImStart, kImEnd}) {
    if (!tokenizer.find_added(token)) {
      return error(ErrorCode::bad_tokenizer, "tokenizer: no added token ", quote(token),
                   ", which the chat markup needs");
    }
  }
  return {};
}

}  // namespace qwen3guard::detail

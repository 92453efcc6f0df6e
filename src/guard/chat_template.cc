// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/guard/chat_template.hpp"

#include <algorithm>
#include <initializer_list>
#include <numeric>
#include <string_view>

#include "qwen3guard/detail/guard/gen_prompt.hpp"
#include "qwen3guard/detail/guard/thinking.hpp"
#include "qwen3guard/detail/tokenizer/tokenizer_impl.hpp"
#include "qwen3guard/detail/util/try.hpp"
#include "qwen3guard/quote.hpp"

namespace qwen3guard::detail {
namespace {

Status check_last_message(std::span<const Message> messages) {
  if (messages.empty()) return Error{ErrorCode::invalid_argument, "messages: empty; expected at least one"};
  if (messages.back().role != Role::user && messages.back().role != Role::assistant) {
    return Error{ErrorCode::invalid_argument, "messages: the last one is a " +
                                                  quote(to_string(messages.back().role)) +
                                                  " message; expected \"user\" or \"assistant\""};
  }
  return {};
}

const GenPromptText& gen_prompt_for(std::span<const Message> messages) {
  return messages.back().role == Role::user ? kGenPromptUser : kGenPromptAssistant;
}

/// "<|im_start|>role\ncontent": the turn stays open. Role and content are one text for the tokenizer, as in
/// the rendered string.
Status append_open_turn(const Tokenizer& tokenizer, Role role, std::string_view text,
                        std::vector<TokenId>& ids, std::size_t max_tokens) {
  Q3G_TRY(append_markup(tokenizer, kImStart, ids));
  return append_text(tokenizer, to_string(role) + ("\n" + std::string(text)), ids, max_tokens);
}

}  // namespace

Status append_markup(const Tokenizer& tokenizer, std::string_view text, std::vector<TokenId>& ids) {
  return tokenizer.encode_to(text, SpecialTokens::recognized, ids);
}

Status append_text(const Tokenizer& tokenizer, std::string_view text, std::vector<TokenId>& ids,
                   std::size_t max_tokens) {
  Status status =
      encode_within(TokenizerAccess::impl(tokenizer), text, SpecialTokens::as_text, max_tokens, ids);
  if (status.ok() || status.error().code != ErrorCode::context_full) return status;
  return Error{ErrorCode::context_full, "the conversation needs more than " + std::to_string(max_tokens) +
                                            " tokens, which is the room that the context has"};
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
    return Error{
        ErrorCode::invalid_argument,
        "stream: ids[" + std::to_string(i) + "] is " + std::to_string(ids[i]) + ", the control token " +
            printable(tokenizer.token_bytes(ids[i]).value_or("")) +
            "; expected tokens of the turn's text, and <|im_end|> or <|endoftext|> only where a response "
            "ends, or StreamOptions::allow_control_ids"};
  }
  return end;
}

Status check_markup_tokens(const Tokenizer& tokenizer) {
  for (const std::string_view token : {kImStart, kImEnd}) {
    if (!tokenizer.find_added(token)) {
      return Error{ErrorCode::bad_tokenizer,
                   "tokenizer: no added token " + quote(token) + ", which the chat markup needs"};
    }
  }
  return {};
}

Result<std::string> render_gen_conversation(std::span<const Message> messages) {
  Q3G_TRY(check_last_message(messages));
  if (messages.size() == 1 && messages.front().role == Role::assistant) {
    return Error{
        ErrorCode::invalid_argument,
        "messages: an assistant message alone; the published template drops it, so a response needs the "
        "user message it answers"};
  }
  std::string out;
  out.reserve(
      std::accumulate(messages.begin(), messages.end(), std::size_t{0}, [](std::size_t n, const Message& m) {
        constexpr std::size_t kNameBytes = 16;  // "\n\nASSISTANT: "
        return n + m.content.size() + kNameBytes;
      }));
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    switch (message.role) {
      case Role::system:
        if (i == 0) out.append("USER: ").append(message.content);
        break;
      case Role::user:
        if (i == 0) {
          out.append("USER: ").append(message.content);
        } else if (messages[i - 1].role == Role::system) {
          out.append("\n\n").append(message.content);
        } else {
          out.append("\n\nUSER: ").append(message.content);
        }
        break;
      case Role::assistant:
        if (i > 0) out.append("\n\nASSISTANT: ").append(message.content);
        break;
    }
  }
  return out;
}

Result<std::string> render_gen_prompt(std::span<const Message> messages) {
  Q3G_ASSIGN(const std::string conversation, render_gen_conversation(messages));
  const GenPromptText& text = gen_prompt_for(messages);
  std::string out(kImStart);
  out += text.before;
  out += conversation;
  out += text.after;
  out += kGenPromptTail;
  return out;
}

Result<std::vector<TokenId>> encode_gen_prompt(const Tokenizer& tokenizer, std::span<const Message> messages,
                                               std::size_t max_tokens) {
  Q3G_TRY(check_markup_tokens(tokenizer));
  Q3G_ASSIGN(std::string conversation, render_gen_conversation(messages));
  const GenPromptText& text = gen_prompt_for(messages);
  // One text between the control tokens: tokens may cross the border of a message exactly as in the
  // reference.
  std::string middle;
  middle.reserve(text.before.size() + conversation.size() + text.after.size());
  middle.append(text.before).append(conversation).append(text.after);
  conversation = std::string();  // it may be long
  std::vector<TokenId> ids;
  Q3G_TRY(append_markup(tokenizer, kImStart, ids));
  Q3G_TRY(append_text(tokenizer, middle, ids, max_tokens));
  Q3G_TRY(append_markup(tokenizer, kGenPromptTail, ids));
  return ids;
}

Result<StreamPrompt> encode_stream_prompt(const Tokenizer& tokenizer, std::span<const Message> messages,
                                          std::size_t max_tokens) {
  Q3G_TRY(check_last_message(messages));
  Q3G_TRY(check_markup_tokens(tokenizer));
  const bool has_response = messages.back().role == Role::assistant;
  const std::size_t n_context = messages.size() - (has_response ? 1 : 0);
  if (n_context == 0 || messages[n_context - 1].role != Role::user) {
    return Error{ErrorCode::invalid_argument,
                 "messages: a response needs the user message it answers right before it"};
  }
  StreamPrompt out;
  const ThinkTokens think(&tokenizer);
  for (std::size_t i = 0; i < n_context; ++i) {
    const Message& message = messages[i];
    const std::string_view text =
        message.role == Role::assistant ? think.answer(message.content) : std::string_view(message.content);
    Q3G_TRY(append_open_turn(tokenizer, message.role, text, out.ids, max_tokens));
    if (i + 1 == n_context) out.query_end = out.ids.size();
    Q3G_TRY(append_markup(tokenizer, std::string(kImEnd) + "\n", out.ids));
  }
  Q3G_TRY(
      append_markup(tokenizer, std::string(kImStart) + "assistant\n" + std::string(kNoThinking), out.ids));
  out.response_begin = out.ids.size();
  // The response is encoded on its own, as a host's model produces it token by token.
  if (has_response) Q3G_TRY(append_text(tokenizer, messages.back().content, out.ids, max_tokens));
  return out;
}

}  // namespace qwen3guard::detail

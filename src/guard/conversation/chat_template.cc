// SPDX-License-Identifier: Apache-2.0
#include "guard/conversation/chat_template.hpp"

#include <algorithm>
#include <initializer_list>
#include <numeric>
#include <string_view>

#include "guard/conversation/gen_prompt.hpp"
#include "guard/conversation/thinking.hpp"
#include "guard/conversation/tool_messages.hpp"
#include "qwen3guard/detail/util/try.hpp"
#include "qwen3guard/quote.hpp"
#include "tokenizer/tokenizer_impl.hpp"

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

/// What the template keeps of an answer that is not the last message. is_unfinished: calls of tools have
/// interrupted it, and the model thinks on.
std::string_view earlier_answer(const ThinkTokens& think, std::string_view text, bool is_unfinished) {
  const std::string_view answer = think.answer(text);
  if (!is_unfinished) return answer;
  std::string_view thinking = text.substr(0, text.size() - answer.size());
  thinking.remove_prefix(std::min(thinking.find(kThinkBegin), thinking.size()));
  thinking = thinking.substr(std::min(kThinkBegin.size(), thinking.size()));
  thinking = thinking.substr(0, thinking.find(kThinkEnd));
  const bool is_empty = thinking.find_first_not_of('\n') == std::string_view::npos;
  return is_empty ? answer : text;
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

bool is_dropped_by_gen(Role role, std::size_t index) noexcept {
  switch (role) {
    case Role::system:
      return index > 0;
    case Role::user:
      return false;
    case Role::assistant:
      return index == 0;
    case Role::tool:
      return true;
  }
  return false;
}

std::vector<std::int32_t> dropped_by_gen(std::span<const Message> messages) {
  std::vector<std::int32_t> out;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (is_dropped_by_gen(messages[i].role, i)) out.push_back(static_cast<std::int32_t>(i));
  }
  return out;
}

std::string dropped_kind(Role role) {
  switch (role) {
    case Role::system:
      return "a system message that is not the first";
    case Role::assistant:
      return "an assistant message that comes first";
    default:
      return "tool messages";
  }
}

Status check_dropped(std::span<const Message> messages, DroppedMessages policy) {
  if (policy == DroppedMessages::report) return {};
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (!is_dropped_by_gen(messages[i].role, i)) continue;
    return Error{ErrorCode::invalid_argument, "messages[" + std::to_string(i) +
                                                  "]: the published Gen template "
                                                  "leaves out " +
                                                  dropped_kind(messages[i].role)};
  }
  return {};
}

Result<std::string> render_gen_conversation(std::span<const Message> messages) {
  Q3G_TRY(check_last_message(messages));
  if (messages.size() == 1 && is_dropped_by_gen(messages.front().role, 0)) {
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
    if (is_dropped_by_gen(message.role, i)) continue;
    switch (message.role) {
      case Role::system:
        out.append("USER: ").append(message.content);
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
        out.append("\n\nASSISTANT: ").append(message.content);
        break;
      case Role::tool:
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
  std::vector<Message> storage;
  const std::span<const Message> turns = fold_tools(messages, storage);
  const bool has_response = turns.back().role == Role::assistant;
  const std::size_t n_context = turns.size() - (has_response ? 1 : 0);
  if (n_context == 0 || turns[n_context - 1].role != Role::user) {
    return Error{ErrorCode::invalid_argument,
                 "messages: a response needs the user message it answers right before it"};
  }
  StreamPrompt out;
  const ThinkTokens think(&tokenizer);
  const std::size_t query = last_query(turns);
  for (std::size_t i = 0; i < n_context; ++i) {
    const Message& turn = turns[i];
    const std::string_view text =
        turn.role == Role::assistant ? earlier_answer(think, turn.content, i > query) : turn.content;
    Q3G_TRY(append_open_turn(tokenizer, turn.role, text, out.ids, max_tokens));
    if (i + 1 == n_context) out.query_end = out.ids.size();
    Q3G_TRY(append_markup(tokenizer, std::string(kImEnd) + "\n", out.ids));
  }
  const std::string_view response = has_response ? std::string_view(turns.back().content) : "";
  std::string header = std::string(kImStart) + "assistant\n";
  if (!response.starts_with(kThinkBegin)) header += kNoThinking;
  Q3G_TRY(append_markup(tokenizer, header, out.ids));
  out.response_begin = out.ids.size();
  // The response is encoded on its own, as a host's model produces it token by token.
  if (has_response) Q3G_TRY(append_text(tokenizer, response, out.ids, max_tokens));
  return out;
}

}  // namespace qwen3guard::detail

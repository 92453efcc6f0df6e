// SPDX-License-Identifier: Apache-2.0
#include "guard/conversation/gen_template.hpp"

#include <numeric>
#include <utility>

#include "guard/conversation/gen_prompt.hpp"
#include "qwen3guard/quote.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

Status check_last_message(std::span<const Message> messages) {
  if (messages.empty()) return Error{ErrorCode::invalid_argument, "messages: empty; expected at least one"};
  if (messages.back().role != Role::user && messages.back().role != Role::assistant) {
    return error(ErrorCode::invalid_argument, "messages: the last one is a ",
                 quote(to_string(messages.back().role)), " message; expected \"user\" or \"assistant\"");
  }
  return {};
}

const GenPromptText& gen_prompt_for(std::span<const Message> messages) {
  return messages.back().role == Role::user ? kGenPromptUser : kGenPromptAssistant;
}

}  // namespace

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
    return error(ErrorCode::invalid_argument, "messages[", i,
                 "]: the published Gen template "
                 "leaves out ",
                 dropped_kind(messages[i].role));
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

}  // namespace qwen3guard::detail

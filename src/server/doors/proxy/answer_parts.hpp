// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ANSWER_PARTS_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ANSWER_PARTS_HPP

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

/// What a chat server's answer consists of, as far as it is passed on.
namespace qwen3guard::server {

/// Where text of a choice stands in a message.
enum class Field { reasoning_content, reasoning, content, refusal, tool_call, function_call };
/// The member's name in a message: "content", "tool_calls", ...
[[nodiscard]] const char* to_string(Field field) noexcept;

/// Text that is judged by itself. index: of a tool call; else 0.
struct Channel {
  Field field = Field::content;
  int index = 0;

  [[nodiscard]] bool is_call() const noexcept {
    return field == Field::tool_call || field == Field::function_call;
  }
  friend bool operator==(const Channel&, const Channel&) = default;
  friend bool operator<(const Channel& a, const Channel& b) noexcept {
    return std::tie(a.field, a.index) < std::tie(b.field, b.index);
  }
};

/// A piece of a channel. Of a call `text` is of its arguments; name and call_id come with its first piece.
struct Part {
  Channel channel;
  std::string text;
  std::string name, call_id;
};

/// A piece of a choice.
struct ChoicePiece {
  int index = 0;
  std::vector<Part> parts;    ///< in the order in which they are shown
  std::string finish_reason;  ///< one of OpenAI's; "": none yet
};

/// What all chunks of an answer have in common. Only names of letters, digits and some punctuation are kept,
/// so that they carry no text.
struct AnswerHead {
  std::string id, model, fingerprint;
  std::int64_t created = 0;
};

/// A chunk, or a whole completion.
struct AnswerPiece {
  AnswerHead head;
  std::vector<ChoicePiece> choices;
  std::string usage_json;  ///< numbers only; "": none
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_ANSWER_PARTS_HPP

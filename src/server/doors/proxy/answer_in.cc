// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/answer_in.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "wire/json_out.hpp"
#include "wire/json_text.hpp"

namespace qwen3guard::server {
namespace {

using wire::JsonValue;
using Kind = JsonValue::Kind;

constexpr std::size_t kMaxNameBytes = 128;
constexpr std::size_t kMaxErrorBytes = 500;
/// Tool calls of a choice: each is a session.
constexpr int kMaxCalls = 128;

[[noreturn]] void fail(const std::string& what) { throw UpstreamError("the upstream's answer: " + what); }

std::optional<std::int64_t> whole_number(const JsonValue& value) {
  const std::string_view raw = value.raw();
  std::int64_t number = 0;
  const auto [end, failed] = std::from_chars(raw.data(), raw.data() + raw.size(), number);
  if (value.kind() != Kind::number || failed != std::errc() || end != raw.data() + raw.size())
    return std::nullopt;
  return number;
}

/// "" for null.
std::string read_text(const JsonValue& value, const char* where) {
  if (value.kind() == Kind::null) return {};
  if (value.kind() != Kind::string) fail(std::string(where) + " is " + to_string(value.kind()));
  return value.text();
}

std::vector<JsonValue::Member> members(const JsonValue& value, const char* where) {
  if (value.kind() != Kind::object) fail(std::string(where) + " is " + to_string(value.kind()));
  return value.members();
}

std::vector<JsonValue> items(const JsonValue& value, const char* where) {
  if (value.kind() == Kind::null) return {};
  if (value.kind() != Kind::array) fail(std::string(where) + " is " + to_string(value.kind()));
  return value.items();
}

int read_index(const JsonValue& value, int end, const char* where) {
  const auto index = whole_number(value);
  if (!index || *index < 0 || *index >= end)
    fail(std::string(where) + "; expected 0 to " + std::to_string(end - 1));
  return static_cast<int>(*index);
}

std::string read_plain_name(const JsonValue& value) {
  return value.kind() == Kind::string ? plain_name(value.text()) : std::string();
}

/// Clients send it back with what the tool says. It is not judged: one that could be a sentence is left out.
std::string read_call_id(const JsonValue& value) {
  constexpr std::size_t kMaxBytes = 64, kMaxWords = 4;
  std::string id = read_plain_name(value);
  const auto n_breaks = std::count_if(
      id.begin(), id.end(), [](char c) { return c == '_' || c == '-' || c == '.' || c == ':' || c == '/'; });
  if (id.size() > kMaxBytes || n_breaks > static_cast<std::ptrdiff_t>(kMaxWords)) id.clear();
  return id;
}

/// {"name": ..., "arguments": ...}
void read_function(const JsonValue& function, Part& part) {
  for (const auto& member : members(function, "function")) {
    if (member.key == "name") {
      const std::string name = read_text(member.value, "a function's name");
      part.name = plain_name(name);
      if (part.name.empty() && !name.empty())
        fail("a function's name with other than letters, digits and -_.:/");
    } else if (member.key == "arguments") {
      part.text = read_text(member.value, "a function's arguments");
    }
  }
}

/// position: in its array, which counts where the call has no index.
Part read_call(const JsonValue& call, int position) {
  Part part;
  part.channel = {Field::tool_call, position};
  for (const auto& member : members(call, "a tool call")) {
    if (member.key == "index" && member.value.kind() != Kind::null) {
      part.channel.index = read_index(member.value, kMaxCalls, "a tool call's index");
    } else if (member.key == "id") {
      part.call_id = read_call_id(member.value);
    } else if (member.key == "type") {
      const std::string type = read_text(member.value, "a tool call's type");
      if (!type.empty() && type != "function") fail("a tool call that is no function's");
    } else if (member.key == "function" && member.value.kind() != Kind::null) {
      read_function(member.value, part);
    }
  }
  return part;
}

/// A message or a delta: what it says, in the order of the fields.
std::vector<Part> read_message(const JsonValue& message) {
  std::array<std::string, 4> texts;
  constexpr std::array<Field, 4> kTexts = {Field::reasoning_content, Field::reasoning, Field::content,
                                           Field::refusal};
  std::vector<Part> calls, out;
  for (const auto& member : members(message, "a message")) {
    for (std::size_t i = 0; i < kTexts.size(); ++i) {
      if (member.key == to_string(kTexts[i])) texts[i] = read_text(member.value, to_string(kTexts[i]));
    }
    if (member.key == "tool_calls") {
      const auto found = items(member.value, "tool_calls");
      if (found.size() > static_cast<std::size_t>(kMaxCalls)) fail("more than 128 tool calls");
      for (std::size_t i = 0; i < found.size(); ++i)
        calls.push_back(read_call(found[i], static_cast<int>(i)));
    } else if (member.key == "function_call" && member.value.kind() != Kind::null) {
      Part part;
      part.channel = {Field::function_call, 0};
      read_function(member.value, part);
      calls.push_back(std::move(part));
    }
  }
  // Some servers say the same by both names.
  if (texts[0] == texts[1]) texts[1].clear();
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    if (!texts[i].empty()) out.push_back({{kTexts[i], 0}, std::move(texts[i]), "", ""});
  }
  std::move(calls.begin(), calls.end(), std::back_inserter(out));
  return out;
}

/// Servers have reasons of their own; any of them says that the answer is over.
std::string read_reason(const JsonValue& value) {
  constexpr std::array<std::string_view, 5> kKnown = {"stop", "length", "tool_calls", "content_filter",
                                                      "function_call"};
  const std::string reason = read_text(value, "finish_reason");
  if (reason.empty()) return {};
  return std::find(kKnown.begin(), kKnown.end(), reason) != kKnown.end() ? reason : "stop";
}

ChoicePiece read_choice(const JsonValue& choice, int n_choices, const char* message_key) {
  ChoicePiece out;
  for (const auto& member : members(choice, "a choice")) {
    if (member.key == "index") {
      out.index = read_index(member.value, n_choices, "a choice's index");
    } else if (member.key == message_key && member.value.kind() != Kind::null) {
      out.parts = read_message(member.value);
    } else if (member.key == "finish_reason") {
      out.finish_reason = read_reason(member.value);
    }
  }
  return out;
}

/// The numbers that are known, and those one level deeper.
void put_usage(wire::JsonOut& json, const JsonValue& usage, int depth) {
  constexpr std::array<std::string_view, 11> kNumbers = {"prompt_tokens",
                                                         "completion_tokens",
                                                         "total_tokens",
                                                         "cached_tokens",
                                                         "reasoning_tokens",
                                                         "audio_tokens",
                                                         "text_tokens",
                                                         "accepted_prediction_tokens",
                                                         "rejected_prediction_tokens",
                                                         "input_tokens",
                                                         "output_tokens"};
  json.begin_object();
  for (const auto& member : usage.members()) {
    const auto number = whole_number(member.value);
    const bool is_known = std::find(kNumbers.begin(), kNumbers.end(), member.key) != kNumbers.end();
    const bool has_details =
        member.key == "prompt_tokens_details" || member.key == "completion_tokens_details";
    if (number && is_known) {
      json.key(member.key).integer(*number);
    } else if (depth == 0 && has_details && member.value.kind() == Kind::object) {
      put_usage(json.key(member.key), member.value, depth + 1);
    }
  }
  json.end_object();
}

std::string read_usage(const JsonValue& usage) {
  if (usage.kind() != Kind::object) return {};
  wire::JsonOut json;
  put_usage(json, usage, 0);
  return json.text();
}

AnswerPiece read_answer(std::string_view json, int n_choices, const char* message_key) try {
  const JsonValue value = JsonValue::parse(json);
  AnswerPiece out;
  bool has_choices = false;
  for (const auto& member : members(value, "an event")) {
    if (member.key == "error" && member.value.kind() != Kind::null) {
      throw UpstreamError("the upstream failed in the middle of its answer");
    }
    if (member.key == "choices") {
      has_choices = true;
      for (const JsonValue& choice : items(member.value, "choices"))
        out.choices.push_back(read_choice(choice, n_choices, message_key));
    } else if (member.key == "id") {
      out.head.id = read_plain_name(member.value);
    } else if (member.key == "model") {
      out.head.model = read_plain_name(member.value);
    } else if (member.key == "system_fingerprint") {
      out.head.fingerprint = read_plain_name(member.value);
    } else if (member.key == "created") {
      out.head.created = whole_number(member.value).value_or(0);
    } else if (member.key == "usage") {
      out.usage_json = read_usage(member.value);
    }
  }
  if (!has_choices) fail("no \"choices\"");
  return out;
} catch (const wire::JsonError&) {
  // What it says would repeat what the upstream sent.
  fail("it is no JSON that can be read in one way only");
}

}  // namespace

const char* to_string(Field field) noexcept {
  switch (field) {
    case Field::reasoning_content:
      return "reasoning_content";
    case Field::reasoning:
      return "reasoning";
    case Field::content:
      return "content";
    case Field::refusal:
      return "refusal";
    case Field::tool_call:
      return "tool_calls";
    case Field::function_call:
      return "function_call";
  }
  return "";
}

std::string plain_name(std::string name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_.:/@+=").find(c) != std::string_view::npos;
  };
  if (name.size() > kMaxNameBytes || !std::all_of(name.begin(), name.end(), is_plain)) return {};
  return name;
}

AnswerPiece read_chunk(std::string_view json, int n_choices) { return read_answer(json, n_choices, "delta"); }

AnswerPiece read_completion(std::string_view json, int n_choices) {
  AnswerPiece out = read_answer(json, n_choices, "message");
  if (out.choices.empty()) fail("no choices");
  std::vector<bool> is_there(static_cast<std::size_t>(n_choices));
  for (ChoicePiece& choice : out.choices) {
    if (is_there[static_cast<std::size_t>(choice.index)]) fail("a choice that is there twice");
    is_there[static_cast<std::size_t>(choice.index)] = true;
    if (choice.finish_reason.empty()) choice.finish_reason = "stop";
  }
  return out;
}

std::string read_error_message(std::string_view json) try {
  const auto error = JsonValue::parse(json).find("error");
  if (!error) return {};
  const auto message = error->kind() == Kind::object ? error->find("message") : error;
  if (!message || message->kind() != Kind::string) return {};
  return printable(message->text(), kMaxErrorBytes);
} catch (const wire::JsonError&) {
  return {};
}

}  // namespace qwen3guard::server

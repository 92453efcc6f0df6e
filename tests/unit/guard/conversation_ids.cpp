// SPDX-License-Identifier: Apache-2.0
// What the runtime makes of conversations, for tests/tools/chat_template_test.py and published_rule_test.py:
//
//     conversation_ids STREAM_CHECKPOINT < conversations.jsonl
//
// A line {"messages": [{"role", "content"}, ...], "piece_bytes": n, "thinking": "none"} gives a line
// {"classified": {...}, "restored": {...}, "lived": {...}}: the same conversation given to classify(); to a
// session at once, by push_conversation() or restore(); and to a session turn by turn, n bytes a push
// (0: a turn at once). Each has "ids", the tokens that the model sees, and "severity", "position" and
// "probabilities" of what was decided about the last message; or "error". A session that was given its last
// answer has judged nothing and decided nothing.
#include <simdjson.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "guard/conversation/conversation.hpp"
#include "guard/loaded/guard_impl.hpp"
#include "guard/session/head_stream.hpp"
#include "model/checkpoint/open_checkpoint.hpp"
#include "qwen3guard/guard.hpp"
#include "qwen3guard/quote.hpp"
#include "tokenizer/tokenizer_files.hpp"

namespace qwen3guard {
namespace {

using detail::HeadStream;

struct Input {
  std::vector<Message> messages;
  std::size_t piece_bytes = 0;
  Thinking thinking = Thinking::none;
};

/// What became of a conversation.
struct Output {
  std::optional<Error> error;
  std::vector<TokenId> ids;
  Severity severity = Severity::not_judged;
  std::optional<std::int32_t> position;
  std::optional<SeverityProbabilities> probabilities;
};

/// The value, or nothing with `out` holding the error.
template <class T>
bool is_good(const Result<T>& result, Output& out) {
  if (!result.ok()) out.error = result.error();
  return result.ok();
}
bool is_good(const Status& status, Output& out) {
  if (!status.ok()) out.error = status.error();
  return status.ok();
}

/// The model twice, as a host has it and with what it hides.
struct Loaded {
  Guard guard;
  std::shared_ptr<const Guard::Impl> inner;
};

Result<Loaded> load(const char* path) {
  auto guard = Guard::load(path);
  if (!guard.ok()) return guard.error();
  const auto checkpoint = detail::open_checkpoint(path);
  if (!checkpoint.ok()) return checkpoint.error();
  auto model = detail::Model::load(**checkpoint, {});
  auto tokenizer = detail::load_tokenizer((*checkpoint)->tokenizer_files());
  if (!model.ok()) return model.error();
  if (!tokenizer.ok()) return tokenizer.error();
  auto inner = std::make_shared<const Guard::Impl>(*std::move(model), *std::move(tokenizer),
                                                   guard->info().max_context_tokens, 0);
  return Loaded{*std::move(guard), std::move(inner)};
}

/// Options with `thinking`, where they have it.
template <class Options>
Options with_thinking(Thinking thinking) {
  Options options;
  if constexpr (requires { options.thinking; }) options.thinking = thinking;
  return options;
}

template <class Session>
std::vector<TokenId> tape(const Session& session) {
  if constexpr (requires { session.ids(); }) {
    const auto ids = session.ids();
    return {ids.begin(), ids.end()};
  }
  return {};
}

HeadStream open(const Loaded& loaded, const Input& input) {
  return {loaded.inner, with_thinking<StreamOptions>(input.thinking), loaded.inner->max_context_tokens()};
}

Output classified(const Loaded& loaded, const Input& input) {
  Output out;
  const auto verdict = loaded.guard.classify(input.messages, with_thinking<ClassifyOptions>(input.thinking));
  if (input.messages.back().role == Role::user) {
    auto ids = detail::render_chat(*loaded.inner->tokenizer(), input.messages, true);
    if (!is_good(ids, out)) return out;
    out.ids = *std::move(ids);
  } else {
    HeadStream session = open(loaded, input);
    auto feed = session.plan_conversation(input.messages);
    if (!is_good(feed, out)) return out;
    HeadStream::run_feeds(*loaded.inner, {&*feed, 1});
    if (!is_good(feed->status, out)) return out;
    out.ids = tape(session);
    session.abandon(*feed);
  }
  if (!is_good(verdict, out)) return out;
  out.severity = verdict->severity;
  out.position = verdict->position;
  out.probabilities = verdict->probabilities;
  return out;
}

void take(const TokenVerdict& prompt, Output& out) {
  out.severity = prompt.severity;
  out.position = prompt.position;
  out.probabilities = prompt.probabilities;
}

void take(const Decision& decision, Output& out) {
  out.severity = decision.severity;
  out.position = decision.position;
  if (decision.token) out.probabilities = decision.token->probabilities;
}

Output restored(const Loaded& loaded, const Input& input) {
  Output out;
  HeadStream session = open(loaded, input);
  if (input.messages.back().role == Role::user) {
    const auto prompt = session.push_conversation(input.messages);
    if (!is_good(prompt, out)) return out;
    take(*prompt, out);
  } else {
    if (!is_good(session.restore(input.messages), out)) return out;
    take(session.decision(), out);
  }
  out.ids = tape(session);
  return out;
}

Output lived(const Loaded& loaded, const Input& input) {
  Output out;
  HeadStream session = open(loaded, input);
  for (std::size_t i = 0; i < input.messages.size(); ++i) {
    const Message& message = input.messages[i];
    if (message.role == Role::tool) {  // those in a row come together, as a host has them
      std::size_t end = i;
      while (end < input.messages.size() && input.messages[end].role == Role::tool) ++end;
      if (!is_good(session.restore(std::span(input.messages).subspan(i, end - i)), out)) return out;
      i = end - 1;
      continue;
    }
    if (!is_good(session.begin_turn(message.role), out)) return out;
    const std::string_view text = message.content;
    const std::size_t step =
        input.piece_bytes > 0 ? input.piece_bytes : std::max<std::size_t>(text.size(), 1);
    for (std::size_t at = 0; at < text.size(); at += step) {
      if (!is_good(session.push_text(text.substr(at, step)), out)) return out;
    }
    StreamUpdate update;
    const auto turn = session.end_turn(update);
    if (!is_good(turn, out)) return out;
    out.severity = Severity::not_judged;
    if (turn->prompt) {
      take(*turn->prompt, out);
    } else {
      take(turn->decision, out);
    }
  }
  // The template's generation prompt.
  if (input.messages.back().role == Role::user && !is_good(session.begin_turn(Role::assistant), out))
    return out;
  out.ids = tape(session);
  return out;
}

std::string to_json(const Output& output) {
  std::string json = "{\"ids\":[";
  for (const TokenId id : output.ids) json += std::to_string(id) + ',';
  if (!output.ids.empty()) json.pop_back();
  json += "],\"severity\":\"" + std::string(to_string(output.severity)) + '"';
  if (output.position) json += ",\"position\":" + std::to_string(*output.position);
  if (output.probabilities) {
    const SeverityProbabilities& p = *output.probabilities;
    json += ",\"probabilities\":[" + std::to_string(p.safe) + ',' + std::to_string(p.controversial) + ',' +
            std::to_string(p.unsafe) + ']';
  }
  if (output.error) {
    json += ",\"error\":\"" + std::string(to_string(output.error->code)) + '"';
  }
  return json + '}';
}

Role role_of(std::string_view name) {
  for (const Role role : {Role::system, Role::user, Role::assistant, Role::tool}) {
    if (to_string(role) == name) return role;
  }
  throw std::invalid_argument("role: " + std::string(name));
}

Thinking thinking_of(std::string_view name) {
  if (name == "none") return Thinking::none;
  if (name == "judge") return Thinking::judge;
  if (name == "skip") return Thinking::skip;
  throw std::invalid_argument("thinking: " + std::string(name));
}

Input read(simdjson::dom::element row) {
  Input input;
  for (const simdjson::dom::element message : simdjson::dom::array(row["messages"])) {
    input.messages.push_back(
        {role_of(std::string_view(message["role"])), std::string(std::string_view(message["content"]))});
  }
  if (input.messages.empty()) throw std::invalid_argument("messages: empty");
  input.piece_bytes = std::uint64_t(row["piece_bytes"]);
  input.thinking = thinking_of(std::string_view(row["thinking"]));
  return input;
}

int run(const char* path) {
  const auto loaded = load(path);
  if (!loaded.ok()) {
    std::fprintf(stderr, "%s: %s\n", path, loaded.error().detail.c_str());
    return 1;
  }
  simdjson::dom::parser parser;
  for (std::string line; std::getline(std::cin, line);) {
    const Input input = read(parser.parse(line));
    std::cout << "{\"classified\":" << to_json(classified(*loaded, input))
              << ",\"restored\":" << to_json(restored(*loaded, input))
              << ",\"lived\":" << to_json(lived(*loaded, input)) << "}\n";
  }
  return 0;
}

}  // namespace
}  // namespace qwen3guard

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: conversation_ids STREAM_CHECKPOINT < conversations.jsonl\n");
    return 2;
  }
  try {
    return qwen3guard::run(argv[1]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "conversation_ids: %s\n", e.what());
    return 1;
  }
}

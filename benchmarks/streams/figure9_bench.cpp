// SPDX-License-Identifier: Apache-2.0
// Figure 9 of arXiv:2510.14276 on this runtime: what it takes to judge a response while it is written, by its
// length:  figure9_bench GEN_MODEL STREAM_MODEL [MAX_TOKENS]
//   resubmit  a Gen checkpoint gets the whole conversation every 32 tokens
//   reuse     a Gen checkpoint behind a stream: every 32 tokens, on the cache of the conversation
//   stream    a Stream checkpoint judges every token
// Writes a JSON line a length: milliseconds spent so far in all, and for the last verdict.
#include "streams_common.hpp"

namespace {

using namespace qwen3guard;

constexpr std::size_t kInterval = 32;
constexpr const char* kPrompt = "Please write a short story about a ferry.";

struct Row {
  double total_ms = 0, last_ms = 0;
};

/// The lengths: 32, 64, ... and the multiples of 256.
bool is_reported(std::size_t n) { return n >= kInterval && ((n & (n - 1)) == 0 || n % 256 == 0); }

void print(const char* what, std::size_t n, const Row& row) {
  std::printf("{\"method\": \"%s\", \"tokens\": %zu, \"total_ms\": %.2f, \"last_ms\": %.2f}\n", what, n,
              row.total_ms, row.last_ms);
  std::fflush(stdout);
}

void resubmit(const std::string& model, std::size_t max_tokens) {
  const Guard guard = streams::load(model, 0);
  const auto ids = streams::prose_ids(*guard.tokenizer(), max_tokens);
  guard.classify_response(kPrompt, "Once")
      .throw_if_error();  // the prompt's constant part is kept from now on
  Row row;
  for (std::size_t n = kInterval; n <= max_tokens; n += kInterval) {
    const std::string text = guard.tokenizer()->decode(std::span(ids).first(n)).value();
    const auto start = streams::Clock::now();
    guard.classify_response(kPrompt, text).throw_if_error();
    row.last_ms = streams::ms_since(start);
    row.total_ms += row.last_ms;
    if (is_reported(n)) print("resubmit", n, row);
  }
}

void stream(const char* what, const std::string& model, std::size_t max_tokens) {
  const Guard guard = streams::load(model);
  const auto ids = streams::prose_ids(*guard.tokenizer(), max_tokens);
  {
    StreamSession warm = guard.open_stream().value();
    warm.push_prompt(kPrompt).throw_if_error();
    warm.push_text(streams::prose(400)).throw_if_error();
    warm.end_turn().throw_if_error();
  }
  StreamSession session = guard.open_stream().value();
  session.push_prompt(kPrompt).throw_if_error();
  Row row;
  for (std::size_t n = 1; n <= max_tokens; ++n) {
    TokenVerdict verdict;
    const auto start = streams::Clock::now();
    session.push_tokens({&ids[n - 1], 1}, {&verdict, 1}).throw_if_error();
    const double ms = streams::ms_since(start);
    row.total_ms += ms;
    if (verdict.source == VerdictSource::heads || verdict.source == VerdictSource::written) row.last_ms = ms;
    if (is_reported(n)) print(what, n, row);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 3 || argc > 4)
      return std::fputs("usage: figure9_bench GEN_MODEL STREAM_MODEL [MAX_TOKENS]\n", stderr), 2;
    const std::size_t max_tokens = argc == 4 ? std::strtoul(argv[3], nullptr, 10) : 2048;
    stream("stream", argv[2], max_tokens);
    stream("reuse", argv[1], max_tokens);
    resubmit(argv[1], max_tokens);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}

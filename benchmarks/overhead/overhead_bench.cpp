// SPDX-License-Identifier: Apache-2.0
// What a call through the C interface costs beside the same call in C++: the time of Tokenizer::encode and of
// StreamSession::decision both ways. Prints "<what> <nanoseconds>" a line, as the programs of the bindings
// do, which run.sh puts side by side. The least of 20 means of 20,000 calls: what disturbs a round makes it
// longer.
#include <qwen3guard.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iterator>

#include "qwen3guard/qwen3guard.hpp"

namespace {

template <class Call>
double least_ns(const Call& call) {
  constexpr int kRounds = 20, kCalls = 20000;
  double least = 1e300;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; ++i) call();
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    least = std::min(least, time.count() / kCalls);
  }
  return least;
}

/// Keeps a result from being optimised away.
volatile std::size_t sink;

void cpp() {
  using namespace qwen3guard;
  const Guard guard = Guard::load_embedded("nano-stream").value();
  const Tokenizer& tokenizer = *guard.tokenizer();
  StreamSession session = guard.open_stream().value();
  session.push_prompt("Tell me a story.").throw_if_error();
  session.push_text("Once upon a time there was a fox.").throw_if_error();
  std::printf("cpp encode %.0f\n",
              least_ns([&] { sink = tokenizer.encode("Hello, world!").value().size(); }));
  std::printf("cpp decision %.0f\n",
              least_ns([&] { sink = static_cast<std::size_t>(session.decision().severity); }));
}

bool c() {
  q3g_guard* guard = nullptr;
  q3g_tokenizer* tokenizer = nullptr;
  q3g_stream* stream = nullptr;
  const char* prompt = "Tell me a story.";
  const char* text = "Once upon a time there was a fox.";
  if (q3g_guard_load_embedded("nano-stream", 11, nullptr, &guard, nullptr) != Q3G_OK ||
      q3g_guard_tokenizer(guard, &tokenizer, nullptr) != Q3G_OK ||
      q3g_stream_open(guard, nullptr, &stream, nullptr) != Q3G_OK ||
      q3g_stream_push_prompt(stream, prompt, std::strlen(prompt), nullptr, nullptr) != Q3G_OK ||
      q3g_stream_push_text(stream, text, std::strlen(text), nullptr, nullptr, 0, nullptr) != Q3G_OK)
    return false;
  q3g_error error{};
  error.struct_size = sizeof error;
  std::printf("c encode %.0f\n", least_ns([&] {
                std::int32_t ids[39];
                std::size_t n = 0;
                (void)q3g_tokenizer_encode(tokenizer, "Hello, world!", 13, Q3G_SPECIAL_AS_TEXT, ids,
                                           std::size(ids), &n, &error);
                sink = n;
              }));
  std::printf("c decision %.0f\n", least_ns([&] {
                q3g_decision decision;
                decision.struct_size = sizeof decision;
                (void)q3g_stream_decision(stream, &decision, &error);
                sink = static_cast<std::size_t>(decision.severity);
              }));
  q3g_stream_free(stream);
  q3g_tokenizer_free(tokenizer);
  q3g_guard_free(guard);
  return true;
}

}  // namespace

int main() {
  cpp();
  return c() ? 0 : 1;
}

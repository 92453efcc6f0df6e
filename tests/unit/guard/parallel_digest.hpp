// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_UNIT_GUARD_PARALLEL_DIGEST_HPP
#define QWEN3GUARD_TESTS_UNIT_GUARD_PARALLEL_DIGEST_HPP

#include <span>
#include <string>
#include <vector>

#include "qwen3guard/qwen3guard.hpp"
#include "util/checksum.hpp"

namespace q3g_test {

/// Long enough that the loops of the small models are worth sharing.
inline std::string long_text() {
  std::string text;
  for (int i = 0; i < 20; ++i) text += "The ferry to the island leaves at " + std::to_string(i) + ". ";
  return text;
}

template <class T>
void add(qwen3guard::detail::RunningChecksum& sum, const T& value) {
  sum.add(std::as_bytes(std::span(&value, 1)));
}

inline void add(qwen3guard::detail::RunningChecksum& sum, const std::vector<qwen3guard::HeadLogits>& heads) {
  for (const qwen3guard::HeadLogits& head : heads) sum.add(std::as_bytes(std::span(head.values)));
}

/// Of verdicts and logits of both kinds of checkpoints, and of what a session judged.
inline std::string digest(const qwen3guard::GuardOptions& options) {
  const qwen3guard::Guard gen = qwen3guard::Guard::load_embedded("nano-gen", options).value();
  const qwen3guard::Guard stream = qwen3guard::Guard::load_embedded("nano-stream", options).value();
  qwen3guard::detail::RunningChecksum sum;
  for (const qwen3guard::Guard* guard : {&gen, &stream}) {
    const std::vector<qwen3guard::TokenId> ids = guard->tokenizer()->encode(long_text()).value();
    add(sum, guard->logits(ids).value());
    add(sum, guard->logits({ids.data(), 1}).value());
    const qwen3guard::Verdict verdict = guard->classify_prompt(long_text()).value();
    for (const float p :
         {verdict.probabilities.safe, verdict.probabilities.controversial, verdict.probabilities.unsafe})
      add(sum, p);
    sum.add(std::as_bytes(std::span(verdict.text)));
  }
  qwen3guard::StreamSession session = stream.open_stream().value();
  static_cast<void>(session.push_prompt(long_text()).value());
  for (int i = 0; i < 2; ++i) static_cast<void>(session.push_text(long_text()).value());
  for (const qwen3guard::TokenVerdict& verdict : session.verdicts()) {
    add(sum, verdict.probabilities.unsafe);
    add(sum, verdict.category_probabilities);
  }
  return qwen3guard::detail::checksum_text(sum.value());
}

}  // namespace q3g_test

#endif  // QWEN3GUARD_TESTS_UNIT_GUARD_PARALLEL_DIGEST_HPP

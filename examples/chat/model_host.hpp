// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_EXAMPLES_CHAT_MODEL_HOST_HPP
#define QWEN3GUARD_EXAMPLES_CHAT_MODEL_HOST_HPP

#include <cstdint>
#include <string>
#include <string_view>

#include "host.hpp"

namespace chat {

/// Any Qwen3 checkpoint, run by the library's own transformer. A piece is a token; its text is the bytes that
/// it stands for, which may be a part of a character. When the context is full, the oldest turns are
/// forgotten; an answer that reaches its end is over.
class ModelHost : public Host {
 public:
  /// max_tokens: of one answer.
  ModelHost(const qwen3guard::Guard& model, const qwen3guard::SamplingOptions& sampling,
            std::int32_t max_tokens)
      : tokenizer_(*model.tokenizer()),
        generator_(model.open_generator(sampling).value()),
        max_tokens_(max_tokens),
        max_context_tokens_(model.info().max_context_tokens) {}

  qwen3guard::Status begin(std::span<const qwen3guard::Message> messages) override;
  qwen3guard::Result<std::optional<std::string>> next() override;
  qwen3guard::Status rewind(std::size_t n) override;

 private:
  [[nodiscard]] std::string well_formed(std::string_view text) const;

  qwen3guard::Tokenizer tokenizer_;
  qwen3guard::Generator generator_;
  std::int32_t max_tokens_, max_context_tokens_, begin_ = 0;
};

}  // namespace chat

#endif  // QWEN3GUARD_EXAMPLES_CHAT_MODEL_HOST_HPP

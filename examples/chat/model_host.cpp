// SPDX-License-Identifier: Apache-2.0
#include "model_host.hpp"

namespace chat {

using namespace qwen3guard;

Status ModelHost::begin(std::span<const Message> messages) {
  Status status = generator_.set_conversation(messages);
  begin_ = generator_.position();
  return status;
}

Result<std::optional<std::string>> ModelHost::next() {
  if (generator_.position() - begin_ >= max_tokens_) return std::optional<std::string>();
  const auto id = generator_.next();
  if (!id.ok()) return id.error();
  if (generator_.is_end(*id)) return std::optional<std::string>();
  // Embeddings beyond the vocabulary have no text.
  return std::optional<std::string>(tokenizer_.token_bytes(*id).value_or(""));
}

Status ModelHost::rewind(std::size_t n) { return generator_.rewind(begin_ + static_cast<std::int32_t>(n)); }

}  // namespace chat

// SPDX-License-Identifier: Apache-2.0
#include "model_host.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace chat {

using namespace qwen3guard;

/// UTF-8 of what may have been typed in another encoding, or cut in the middle of a character.
std::string ModelHost::well_formed(std::string_view text) const {
  StreamingDecoder decoder(tokenizer_);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    // Every byte is a token of its own.
    if (const auto id = tokenizer_.find_bytes(text.substr(i, 1))) out += decoder.push(*id).value();
  }
  return out + decoder.finish();
}

Status ModelHost::begin(std::span<const Message> messages) {
  std::vector<Message> kept;
  for (const Message& message : messages) kept.push_back({message.role, well_formed(message.content)});
  // Half of the context is enough room for an answer.
  const std::int32_t limit = max_context_tokens_ - std::min(max_tokens_, max_context_tokens_ / 2);
  for (;;) {
    Status status = generator_.set_conversation(kept);
    const bool is_full =
        status.ok() ? generator_.position() > limit : status.error().code == ErrorCode::context_full;
    if (is_full && kept.size() > 2) {
      kept.erase(kept.begin(), kept.begin() + 2);  // the oldest question and its answer
      continue;
    }
    begin_ = generator_.position();
    return status;
  }
}

Result<std::optional<std::string>> ModelHost::next() {
  if (generator_.position() - begin_ >= max_tokens_) return std::optional<std::string>();
  const auto id = generator_.next();
  if (!id.ok() && id.error().code == ErrorCode::context_full) return std::optional<std::string>();
  if (!id.ok()) return id.error();
  if (generator_.is_end(*id)) return std::optional<std::string>();
  // Embeddings beyond the vocabulary have no text.
  return std::optional<std::string>(tokenizer_.token_bytes(*id).value_or(""));
}

Status ModelHost::rewind(std::size_t n) { return generator_.rewind(begin_ + static_cast<std::int32_t>(n)); }

}  // namespace chat

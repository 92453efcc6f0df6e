// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/tokenizer/vocabulary.hpp"

namespace qwen3guard::detail {

void Vocabulary::reserve(std::size_t n_tokens, std::size_t n_bytes) {
  tokens_.reserve(n_tokens);
  text_.reserve(n_bytes);
}

bool Vocabulary::set_bytes(TokenId id, std::string_view bytes) {
  const auto i = static_cast<std::size_t>(id);
  if (i >= tokens_.size()) tokens_.resize(i + 1);
  if (tokens_[i].n_bytes != 0) return false;
  tokens_[i] = {static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(bytes.size())};
  text_.append(bytes);
  return true;
}

std::optional<TokenId> Vocabulary::index(const std::vector<TokenId>& ids) {
  slots_.assign(table_slots(ids.size()), Slot{});
  mask_ = slots_.size() - 1;
  for (const TokenId id : ids) {
    const std::string_view token = bytes(id);
    const std::uint64_t hash = hash_bytes(token);
    std::size_t i = hash & mask_;
    for (; slots_[i].id >= 0; i = (i + 1) & mask_) {
      if (slots_[i].hash == hash && bytes(slots_[i].id) == token) return id;
    }
    slots_[i] = {hash, id, static_cast<std::uint32_t>(token.size())};
  }
  return std::nullopt;
}

}  // namespace qwen3guard::detail

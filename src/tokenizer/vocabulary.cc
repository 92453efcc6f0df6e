// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/vocabulary.hpp"

#include <algorithm>
#include <array>

namespace qwen3guard::detail {

void Vocabulary::reserve(std::size_t n_tokens, std::size_t n_bytes) {
  tokens_.reserve(n_tokens);
  text_.reserve(n_bytes);
}

bool Vocabulary::set_bytes(TokenId id, std::string_view bytes) {
  const auto i = static_cast<std::size_t>(id);
  if (i >= tokens_.size()) {
    tokens_.resize(i + 1);
    tables_.tokens = tokens_;
  }
  if (tokens_[i].n_bytes != 0) return false;
  tokens_[i] = {static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(bytes.size())};
  text_.insert(text_.end(), bytes.begin(), bytes.end());
  tables_.text = {text_.data(), text_.size()};
  return true;
}

std::optional<TokenId> Vocabulary::index(const std::vector<TokenId>& ids) {
  // The table is larger than the caches of one core: fetching the slots of a batch together is several times
  // as fast as waiting for one after the other.
  constexpr std::size_t kBatch = 32;
  slots_.assign(table_slots(ids.size()), VocabularySlot{});
  tables_.slots = slots_;
  mask_ = slots_.size() - 1;
  std::array<std::uint64_t, kBatch> hashes;
  for (std::size_t first = 0; first < ids.size(); first += kBatch) {
    const std::size_t n = std::min(kBatch, ids.size() - first);
    for (std::size_t k = 0; k < n; ++k) {
      hashes[k] = hash_bytes(bytes(ids[first + k]));
      prefetch(hashes[k]);
    }
    for (std::size_t k = 0; k < n; ++k) {
      const TokenId id = ids[first + k];
      const std::string_view token = bytes(id);
      std::size_t i = hashes[k] & mask_;
      for (; slots_[i].id >= 0; i = (i + 1) & mask_) {
        if (slots_[i].hash == hashes[k] && bytes(slots_[i].id) == token) return id;
      }
      slots_[i] = {hashes[k], id, static_cast<std::uint32_t>(token.size())};
    }
  }
  return std::nullopt;
}

std::array<TokenId, 256> Vocabulary::byte_ids() const noexcept {
  std::array<TokenId, 256> out{};
  for (std::size_t byte = 0; byte < out.size(); ++byte) {
    const char text = static_cast<char>(static_cast<unsigned char>(byte));
    out[byte] = find({&text, 1});
  }
  return out;
}

}  // namespace qwen3guard::detail

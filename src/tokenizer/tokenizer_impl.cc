// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/tokenizer_impl.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "tokenizer/nfc.hpp"
#include "tokenizer/text_encoder.hpp"
#include "util/error.hpp"
#include "util/rollback.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::size_t kNoBound = std::numeric_limits<std::size_t>::max();

/// "0xC3 0x28": the ill-formed bytes and, where one was expected to continue them, the byte behind.
std::string hex_bytes(std::string_view text, std::size_t pos) {
  const Utf8Step step = utf8_step(text, pos);
  const auto lead = static_cast<unsigned char>(text[pos]);
  const bool is_lead = lead >= 0xC2 && lead <= 0xF4;
  const std::string_view shown = text.substr(pos, step.n_bytes + (is_lead ? 1u : 0u));
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : shown) {
    const auto byte = static_cast<unsigned char>(c);
    out.append(out.empty() ? "0x" : " 0x").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
  }
  return out;
}

/// The tokens that are looked for after NFC (their contents normalised as well) or before it.
AddedTokenMatcher matcher(const std::vector<AddedToken>& added, bool normalized, bool nfc) {
  std::vector<AddedToken> chosen;
  NfcScratch scratch;
  for (const AddedToken& token : added) {
    if (token.normalized != normalized) continue;
    AddedToken copy = token;
    if (normalized && nfc && !is_surely_nfc(token.content)) {
      copy.content.clear();
      static_cast<void>(append_nfc(token.content, scratch, copy.content));
    }
    chosen.push_back(std::move(copy));
  }
  return AddedTokenMatcher(std::move(chosen));
}

}  // namespace

std::vector<std::uint8_t> control_tokens(const Vocabulary& vocabulary, std::span<const AddedToken> added) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(vocabulary.size()));
  for (std::size_t id = 0; id < out.size(); ++id)
    out[id] = is_control_text(vocabulary.bytes(static_cast<TokenId>(id))) ? 1 : 0;
  for (const AddedToken& token : added) {
    if (token.special) out[static_cast<std::size_t>(token.id)] = 1;
  }
  return out;
}

TokenizerImpl::TokenizerImpl(TokenizerParts parts)
    : bpe_(std::move(parts.vocabulary), std::move(parts.merges), parts.ignore_merges),
      pre_tokenizer_(std::move(parts.pre_tokenizer)),
      nfc_(parts.nfc),
      added_(std::move(parts.added)),
      special_(control_tokens(bpe_.vocabulary(), added_)),
      raw_(matcher(added_, false, nfc_)),
      normalized_(matcher(added_, true, nfc_)) {
  std::sort(added_.begin(), added_.end(),
            [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
  longest_bytes_ = std::max(raw_.longest_bytes(), normalized_.longest_bytes());
  for (const TokenSpan token : bpe_.vocabulary().tables().tokens)
    longest_bytes_ = std::max<std::size_t>(longest_bytes_, token.n_bytes);
}

std::size_t TokenizerImpl::max_normalized_bytes(std::size_t n_tokens) const noexcept {
  // A token can take any amount of white space along.
  if (raw_.any_strips() || normalized_.any_strips()) return kNoBound;
  return n_tokens < kNoBound / longest_bytes_ ? n_tokens * longest_bytes_ : kNoBound;
}

std::size_t TokenizerImpl::max_text_bytes(std::size_t n_tokens) const noexcept {
  const std::size_t n = max_normalized_bytes(n_tokens);
  return !nfc_ ? n : n < kNoBound / kMaxNfcShrinkage ? n * kMaxNfcShrinkage : kNoBound;
}

bool TokenizerImpl::append_bytes(TokenId id, bool skip_special, std::string& out) const {
  const std::string_view bytes = vocabulary().bytes(id);
  if (bytes.empty()) return false;
  if (!skip_special || special_[static_cast<std::size_t>(id)] == 0) out.append(bytes);
  return true;
}

bool TokenizerImpl::is_special(TokenId id) const noexcept {
  return id >= 0 && static_cast<std::size_t>(id) < special_.size() &&
         special_[static_cast<std::size_t>(id)] != 0;
}

TokenId TokenizerImpl::find_added(std::string_view content) const noexcept {
  const auto found = std::lower_bound(added_.begin(), added_.end(), content,
                                      [](const AddedToken& a, std::string_view b) { return a.content < b; });
  return found != added_.end() && found->content == content ? found->id : -1;
}

Status check_text(std::string_view text) {
  if (const auto bad = find_invalid_utf8(text))
    return error(ErrorCode::invalid_utf8, "text: ill-formed UTF-8 at byte ", *bad, " (",
                 hex_bytes(text, *bad), ")");
  if (text.size() >= std::numeric_limits<std::uint32_t>::max())
    return Error{ErrorCode::invalid_argument, "text: 4 GiB or more"};
  return {};
}

Error too_many_tokens(std::size_t max_ids) {
  return error(ErrorCode::context_full, "text: more than ", max_ids, " tokens");
}

Status encode_within(const TokenizerImpl& tokenizer, std::string_view text, SpecialTokens mode,
                     std::size_t max_ids, std::vector<TokenId>& out) {
  const std::size_t before = out.size();
  IdSink sink{out};
  Rollback appended([&] { out.resize(before); });
  Status status = encode_to_sink(tokenizer, text, mode, max_ids, sink);
  if (status.ok()) appended.keep();
  return status;
}

}  // namespace qwen3guard::detail

// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/tokenizer/tokenizer_impl.hpp"

#include <algorithm>
#include <utility>

#include "qwen3guard/detail/tokenizer/nfc.hpp"
#include "qwen3guard/detail/util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// The tokens that are looked for after NFC (their contents normalised as well) or before it.
AddedTokenMatcher matcher(const std::vector<AddedToken>& added, bool normalized, bool nfc) {
  std::vector<AddedToken> chosen;
  NfcScratch scratch;
  for (const AddedToken& token : added) {
    if (token.normalized != normalized) continue;
    AddedToken copy = token;
    if (normalized && nfc && !is_surely_nfc(token.content)) {
      copy.content.clear();
      if (!append_nfc(token.content, scratch, copy.content).ok()) copy.content = token.content;
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

/// Memory of one encode() call.
struct TokenizerImpl::Scratch {
  BpeScratch bpe;
  NfcScratch nfc;
  std::string normalized;
};

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
}

Status TokenizerImpl::encode(std::string_view text, SpecialTokens mode, std::vector<TokenId>& out) const {
  Scratch scratch;
  if (raw_.empty()) return encode_section(text, mode, scratch, out);
  for (std::size_t pos = 0; pos < text.size();) {
    const AddedTokenMatcher::Piece piece = raw_.next(text, pos, mode);
    if (piece.id >= 0) {
      out.push_back(piece.id);
    } else {
      Q3G_TRY(encode_section(text.substr(piece.begin, piece.end - piece.begin), mode, scratch, out));
    }
    pos = piece.end;
  }
  return {};
}

Status TokenizerImpl::encode_section(std::string_view text, SpecialTokens mode, Scratch& scratch,
                                     std::vector<TokenId>& out) const {
  if (nfc_ && !is_surely_nfc(text)) {
    scratch.normalized.clear();
    Q3G_TRY(append_nfc(text, scratch.nfc, scratch.normalized));
    text = scratch.normalized;
  }
  if (normalized_.empty()) return encode_plain(text, scratch, out), Status();
  for (std::size_t pos = 0; pos < text.size();) {
    const AddedTokenMatcher::Piece piece = normalized_.next(text, pos, mode);
    if (piece.id >= 0) {
      out.push_back(piece.id);
    } else {
      encode_plain(text.substr(piece.begin, piece.end - piece.begin), scratch, out);
    }
    pos = piece.end;
  }
  return {};
}

void TokenizerImpl::encode_plain(std::string_view text, Scratch& scratch, std::vector<TokenId>& out) const {
  pre_tokenizer_.split(text, [&](std::string_view word) { bpe_.encode_word(word, scratch.bpe, out); });
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

}  // namespace qwen3guard::detail

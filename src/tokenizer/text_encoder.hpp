// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_TEXT_ENCODER_HPP
#define QWEN3GUARD_SRC_TOKENIZER_TEXT_ENCODER_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/status.hpp"
#include "tokenizer/added_tokens.hpp"
#include "tokenizer/aligned_tokens.hpp"
#include "tokenizer/bpe.hpp"
#include "tokenizer/nfc.hpp"
#include "tokenizer/offset_map.hpp"
#include "tokenizer/qwen_scanner.hpp"
#include "tokenizer/token_cuts.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {

/// Memory of one text.
struct EncodeScratch {
  BpeScratch bpe;
  NfcScratch nfc;
  std::string normalized;
  OffsetMap map;
};

/// A sink that takes ids only.
struct IdSink {
  static constexpr bool kTakesOffsets = false;
  std::vector<TokenId>& ids;
};

/// A sink that takes ids and where each comes from.
class RangeSink {
 public:
  static constexpr bool kTakesOffsets = true;
  RangeSink(const Vocabulary& vocabulary, std::vector<TokenId>& to_ids, std::vector<ByteRange>& to_ranges)
      : ids(to_ids), ranges(to_ranges), vocabulary_(vocabulary) {}

  /// What follows was text[begin, ...) before `map`.
  void section(std::size_t begin, const OffsetMap& map) noexcept {
    begin_ = begin;
    map_ = &map;
  }
  /// The last id is that of an added token.
  void added(std::size_t begin, std::size_t end) { ranges.push_back(range(begin, end)); }
  /// The ids from first_id on are those of the word plain[begin, end).
  void word(std::size_t first_id, std::string_view plain, std::size_t begin, std::size_t end) {
    static_cast<void>(plain);
    static_cast<void>(end);
    for (std::size_t i = first_id, at = begin; i < ids.size(); ++i) {
      const std::size_t n = vocabulary_.bytes(ids[i]).size();
      ranges.push_back(range(at, at + n));
      at += n;
    }
  }
  /// The same of the rest of a word, whose place plain[begin] is in `part` of it.
  void rest(std::size_t first_id, std::string_view plain, std::size_t begin, std::size_t end, WordPart part) {
    static_cast<void>(part);
    word(first_id, plain, begin, end);
  }

  std::vector<TokenId>& ids;
  std::vector<ByteRange>& ranges;

 protected:
  [[nodiscard]] ByteRange range(std::size_t begin, std::size_t end) const noexcept {
    return {begin_ + map_->begin_of(begin), begin_ + map_->end_of(end)};
  }
  /// True when what is normalised to plain[0, at) is a part of the text, which ends at text_byte(at).
  [[nodiscard]] bool is_border(std::size_t at) const noexcept {
    return map_->begin_of(at) == map_->end_of(at);
  }
  [[nodiscard]] std::size_t text_byte(std::size_t at) const noexcept { return begin_ + map_->end_of(at); }

 private:
  const Vocabulary& vocabulary_;
  std::size_t begin_ = 0;
  const OffsetMap* map_ = nullptr;
};

/// From text to tokens: added tokens, NFC, added tokens that are looked for behind it, words, byte-pair
/// encoding. What comes out goes to a sink. Throws std::bad_alloc.
template <class Sink>
class TextEncoder {
 public:
  TextEncoder(const TokenizerImpl& tokenizer, SpecialTokens mode, std::size_t max_ids, EncodeScratch& scratch,
              Sink& sink)
      : tokenizer_(tokenizer), mode_(mode), max_ids_(max_ids), scratch_(scratch), sink_(sink) {}

  /// text: UTF-8, below 4 GiB. Unless it is `whole`, the sink has part of the tokens, or wrong ones.
  /// too_many: it would have more than max_ids.
  [[nodiscard]] Encoded encode(std::string_view text, WordRest rest = {}) {
    const AddedTokenMatcher& matcher = tokenizer_.raw_matcher();
    rest_ = rest;
    scratch_.map.clear();
    for (std::size_t pos = 0; pos < text.size();) {
      const AddedTokenMatcher::Piece piece =
          matcher.empty() ? AddedTokenMatcher::Piece{pos, text.size(), -1} : matcher.next(text, pos, mode_);
      if (piece.id >= 0) {
        scratch_.map.clear();
        start_section(0);
        added(piece);
        rest_.part = WordPart::none;
      } else if (const Encoded result = section(text, piece.begin, piece.end); result != Encoded::whole) {
        return result;
      }
      pos = piece.end;
      if (sink_.ids.size() > max_ids_) return Encoded::too_many;
    }
    return Encoded::whole;
  }

 private:
  void start_section(std::size_t begin) {
    if constexpr (Sink::kTakesOffsets) sink_.section(begin, scratch_.map);
  }

  void added(const AddedTokenMatcher::Piece& piece) {
    sink_.ids.push_back(piece.id);
    if constexpr (Sink::kTakesOffsets) sink_.added(piece.begin, piece.end);
  }

  [[nodiscard]] Encoded section(std::string_view text, std::size_t begin, std::size_t end) {
    scratch_.map.clear();
    std::string_view plain = text.substr(begin, end - begin);
    if (tokenizer_.nfc() && !is_surely_nfc(plain)) {
      scratch_.normalized.clear();
      if (!append_nfc(plain, scratch_.nfc, scratch_.normalized, Sink::kTakesOffsets ? &scratch_.map : nullptr,
                      tokenizer_.max_normalized_bytes(max_ids_ - sink_.ids.size())))
        return Encoded::too_many;
      plain = scratch_.normalized;
    }
    start_section(begin);
    const AddedTokenMatcher& matcher = tokenizer_.normalized_matcher();
    for (std::size_t pos = 0; pos < plain.size() && sink_.ids.size() <= max_ids_;) {
      const AddedTokenMatcher::Piece piece =
          matcher.empty() ? AddedTokenMatcher::Piece{pos, plain.size(), -1} : matcher.next(plain, pos, mode_);
      if (piece.id >= 0) {
        added(piece);
      } else {
        std::size_t words_begin = piece.begin;
        if (rest_.part != WordPart::none) {
          const Encoded result = rest(plain, words_begin, piece.end);
          if (result != Encoded::whole) return result;
        }
        words(plain, words_begin, piece.end);
      }
      pos = piece.end;
    }
    return sink_.ids.size() <= max_ids_ ? Encoded::whole : Encoded::too_many;
  }

  /// Moves `begin` to the end of the word that it is in.
  [[nodiscard]] Encoded rest(std::string_view plain, std::size_t& begin, std::size_t end) {
    const auto n_bytes = qwen_word_rest_end(plain.substr(begin, end - begin), rest_.part);
    if (!n_bytes) return Encoded::other_word;
    if (*n_bytes > 0) {
      const std::size_t first_id = sink_.ids.size();
      tokenizer_.bpe().encode_part(plain.substr(begin, *n_bytes), scratch_.bpe, sink_.ids, max_ids_);
      if (sink_.ids[first_id] != rest_.next_id) return Encoded::other_tokens;
      if constexpr (Sink::kTakesOffsets) sink_.rest(first_id, plain, begin, begin + *n_bytes, rest_.part);
      begin += *n_bytes;
    }
    rest_.part = WordPart::none;
    return Encoded::whole;
  }

  void words(std::string_view plain, std::size_t begin, std::size_t end) {
    tokenizer_.pre_tokenizer().split(plain.substr(begin, end - begin), [&](std::string_view word) {
      const std::size_t first_id = sink_.ids.size();
      tokenizer_.bpe().encode_word(word, scratch_.bpe, sink_.ids, max_ids_);
      if constexpr (Sink::kTakesOffsets) {
        sink_.word(first_id, plain, begin, begin + word.size());
        begin += word.size();
      }
      return sink_.ids.size() <= max_ids_;
    });
  }

  const TokenizerImpl& tokenizer_;
  SpecialTokens mode_;
  std::size_t max_ids_;
  EncodeScratch& scratch_;
  Sink& sink_;
  WordRest rest_;
};

/// True when `text` has more than max_ids tokens, n_ids that are there already counted, for its length alone.
[[nodiscard]] inline bool is_too_long(const TokenizerImpl& tokenizer, std::string_view text,
                                      std::size_t max_ids, std::size_t n_ids) noexcept {
  return n_ids > max_ids || text.size() > tokenizer.max_text_bytes(max_ids - n_ids);
}

/// Errors: invalid_utf8 (byte offset, the bytes); invalid_argument (4 GiB or more).
[[nodiscard]] Status check_text(std::string_view text);
/// context_full.
[[nodiscard]] Error too_many_tokens(std::size_t max_ids);

/// All of it, checked. On an error, and when std::bad_alloc is thrown, the sink has part of the tokens.
template <class Sink>
[[nodiscard]] Status encode_to_sink(const TokenizerImpl& tokenizer, std::string_view text, SpecialTokens mode,
                                    std::size_t max_ids, Sink& sink) {
  if (is_too_long(tokenizer, text, max_ids, sink.ids.size())) return too_many_tokens(max_ids);
  Q3G_TRY(check_text(text));
  EncodeScratch scratch;
  if (TextEncoder<Sink>(tokenizer, mode, max_ids, scratch, sink).encode(text) != Encoded::whole)
    return too_many_tokens(max_ids);
  return {};
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_TEXT_ENCODER_HPP

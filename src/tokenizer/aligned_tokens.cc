// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/aligned_tokens.hpp"

#include "tokenizer/text_encoder.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "util/rollback.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {

ReplacedText replaced_text(std::string_view text, bool is_complete) {
  ReplacedText out;
  std::size_t copied = 0;
  for (std::size_t pos = find_non_ascii(text); pos < text.size();) {
    const Utf8Step step = utf8_step(text, pos);
    if (!step.complete) {
      out.utf8.append(text, copied, pos - copied);
      copied = pos + step.n_bytes;
      if (step.truncated && !is_complete) return out;
      const std::size_t to = out.utf8.size();
      out.utf8.append(kReplacement);
      out.map.add({pos, copied, to, out.utf8.size()});
    }
    pos += step.n_bytes;
    if (pos < text.size() && static_cast<unsigned char>(text[pos]) < 0x80) pos = find_non_ascii(text, pos);
  }
  out.utf8.append(text, copied);
  return out;
}

Status encode_aligned(const TokenizerImpl& tokenizer, std::string_view text, SpecialTokens mode,
                      InvalidUtf8 invalid_utf8, std::vector<TokenId>& ids, std::vector<ByteRange>& ranges,
                      std::size_t max_ids) {
  const std::size_t n_ids = ids.size(), n_ranges = ranges.size();
  Rollback appended([&] {
    ids.resize(n_ids);
    ranges.resize(n_ranges);
  });
  // With U+FFFD a text is not shorter, so one that is too long already need not be read.
  const bool is_replaced = invalid_utf8 == InvalidUtf8::replace &&
                           !is_too_long(tokenizer, text, max_ids, n_ids) && find_invalid_utf8(text);
  const ReplacedText replaced = is_replaced ? replaced_text(text, true) : ReplacedText();
  RangeSink sink(tokenizer.vocabulary(), ids, ranges);
  Status status = encode_to_sink(tokenizer, is_replaced ? replaced.utf8 : text, mode, max_ids, sink);
  if (!status.ok()) return status;
  if (is_replaced) {
    for (std::size_t i = n_ranges; i < ranges.size(); ++i) ranges[i] = replaced.range(ranges[i]);
  }
  appended.keep();
  return status;
}

}  // namespace qwen3guard::detail

// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_PATTERN_HPP
#define QWEN3GUARD_SRC_TOKENIZER_PATTERN_HPP

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "qwen3guard/status.hpp"

namespace qwen3guard::detail {

/// A reference pattern in RE2's words; see rewrite_pattern().
struct RewrittenPattern {
  std::string main;      ///< with the alternative \s+(?!\S) as a named group that has no look-ahead
  std::string fallback;  ///< without that alternative
  bool has_look_ahead = false;
};

/// Name of the group in RewrittenPattern::main.
inline constexpr std::string_view kSpacesGroup = "q3gspaces";

/// Translates a pattern of the reference's engine (Oniguruma) for RE2: \s, \d, \w, \p{L} and \p{N} get their
/// Unicode meaning from the reference, groups lose their capture, and the alternative \s+(?!\S), at the top
/// level, becomes a group whose last character Pattern gives back. Errors: unsupported_model (other
/// look-arounds, back-references, possessive quantifiers and whatever else RE2 cannot express), naming the
/// construct and its byte offset.
[[nodiscard]] Result<RewrittenPattern> rewrite_pattern(std::string_view regex);

/// A compiled pattern. Immutable, cheap to copy (shared), safe to share between threads.
class Pattern {
 public:
  struct Span {
    std::size_t begin, end;
  };

  /// Published patterns have some 300 bytes, which RE2 compiles to 13,000 instructions. RE2 takes seconds for
  /// much larger ones, and from a million nodes on it writes about them to the standard error stream.
  static constexpr std::size_t kMaxBytes = 2048, kMaxRewrittenBytes = std::size_t{1} << 19;
  static constexpr int kMaxInstructions = 1 << 15;

  /// Errors: bad_tokenizer (beyond these bounds, which the detail names); unsupported_model (see
  /// rewrite_pattern; or RE2 refuses the pattern, with RE2's words; or any, in a build without RE2: without
  /// Q3G_WITH_RE2).
  [[nodiscard]] static Result<Pattern> compile(std::string_view regex);

  /// The leftmost match that is not empty and starts at or after pos. `text` is UTF-8.
  [[nodiscard]] std::optional<Span> find(std::string_view text, std::size_t pos) const;

 private:
  struct Engines;
  explicit Pattern(std::shared_ptr<const Engines> engines) : engines_(std::move(engines)) {}
  std::shared_ptr<const Engines> engines_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_PATTERN_HPP

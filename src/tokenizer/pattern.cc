// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/pattern.hpp"

#ifdef Q3G_WITH_RE2
#include <re2/re2.h>
#endif

#include <algorithm>
#include <utility>
#include <vector>

#include "qwen3guard/quote.hpp"
#include "tokenizer/qwen_scanner.hpp"
#include "util/error.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {

#ifdef Q3G_WITH_RE2

struct Pattern::Engines {
  Engines(const RewrittenPattern& pattern, const re2::RE2::Options& options)
      : main(pattern.main, options),
        fallback(pattern.fallback, options),
        has_look_ahead(pattern.has_look_ahead) {}
  re2::RE2 main, fallback;
  bool has_look_ahead;
  int spaces_group = 0;
};

namespace {

template <class... Parts>
Error too_large(const Parts&... found) {
  return error(ErrorCode::bad_tokenizer, "the pattern is too large: ", found..., " are expected");
}

/// Leftmost match at or after pos; first at pos itself, where it is most of the time. submatches[0] is the
/// match.
bool search(const re2::RE2& engine, std::string_view text, std::size_t pos, re2::StringPiece* submatches,
            int n) {
  const re2::StringPiece subject(text.data(), text.size());
  return engine.Match(subject, pos, text.size(), re2::RE2::ANCHOR_START, submatches, n) ||
         engine.Match(subject, pos, text.size(), re2::RE2::UNANCHORED, submatches, n);
}

}  // namespace

Result<Pattern> Pattern::compile(std::string_view regex) {
  if (regex.size() > kMaxBytes) return too_large(regex.size(), " bytes; at most ", kMaxBytes);
  Q3G_ASSIGN(const RewrittenPattern rewritten, rewrite_pattern(regex));
  if (const std::size_t n = std::max(rewritten.main.size(), rewritten.fallback.size());
      n > kMaxRewrittenBytes)
    return too_large(n, " bytes with its classes written out; at most ", kMaxRewrittenBytes);
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(std::int64_t{8} << 20);
  auto engines = std::make_shared<Engines>(rewritten, options);
  for (const re2::RE2* engine : {&engines->main, &engines->fallback}) {
    const bool is_large = engine->ok() ? engine->ProgramSize() > kMaxInstructions
                                       : engine->error_code() == re2::RE2::ErrorPatternTooLarge;
    if (is_large) return too_large("at most ", kMaxInstructions, " instructions");
    if (!engine->ok())
      return error(ErrorCode::unsupported_model, "the pattern ", quote(regex),
                   " is outside what RE2 can match: ", printable(engine->error()));
  }
  if (rewritten.has_look_ahead)
    engines->spaces_group = engines->main.NamedCapturingGroups().at(std::string(kSpacesGroup));
  return Pattern(std::move(engines));
}

std::optional<Pattern::Span> Pattern::find(std::string_view text, std::size_t pos) const {
  constexpr int kMostGroups = 2;
  re2::StringPiece submatches[kMostGroups];
  const int n = engines_->spaces_group + 1;
  while (pos < text.size()) {
    if (!search(engines_->main, text, pos, submatches, n)) return std::nullopt;
    auto begin = static_cast<std::size_t>(submatches[0].data() - text.data());
    std::size_t end = begin + submatches[0].size();
    if (engines_->has_look_ahead && submatches[1].data() != nullptr && end < text.size()) {
      // \s+(?!\S): a non-space follows, so the last character goes back. If it was the only one, this
      // alternative does not match here, and those behind it have their turn.
      end = previous_boundary(text, end);
      if (end == begin) {
        if (!search(engines_->fallback, text, begin, submatches, 1)) return std::nullopt;
        const auto fallback_begin = static_cast<std::size_t>(submatches[0].data() - text.data());
        if (fallback_begin > begin) {
          (void)next_code_point(text, pos = begin);
          continue;
        }
        end = begin + submatches[0].size();
      }
    }
    if (end > begin) return Span{begin, end};
    if (begin == text.size()) return std::nullopt;
    (void)next_code_point(text, pos = begin);
  }
  return std::nullopt;
}

#else

Result<Pattern> Pattern::compile(std::string_view regex) {
  return error(ErrorCode::unsupported_model, "the pattern ", quote(regex),
               " needs RE2, which this build does not have; expected the published pattern, ",
               quote(kQwenPattern));
}

/// There is no pattern to ask.
std::optional<Pattern::Span> Pattern::find(std::string_view, std::size_t) const { return std::nullopt; }

#endif

}  // namespace qwen3guard::detail

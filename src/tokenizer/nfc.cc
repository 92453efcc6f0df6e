// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/tokenizer/nfc.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "qwen3guard/detail/util/try.hpp"
#include "qwen3guard/detail/util/utf8.hpp"
#include "unicode_classes.hpp"

namespace qwen3guard::detail {
namespace {

static_assert(std::is_same_v<utf8proc_int32_t, std::int32_t>);

constexpr auto kCompose = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
constexpr auto kDecompose = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);

utf8proc_propval_t combining_class(utf8proc_int32_t code_point) noexcept {
  return utf8proc_get_property(code_point)->combining_class;
}

/// Canonical ordering: each run of marks by combining class, stably. utf8proc's own sorting is quadratic in
/// the run, and std::stable_sort allocates for each one.
void sort_marks(NfcScratch& scratch) {
  auto& code_points = scratch.code_points;
  for (auto i = code_points.begin(); i != code_points.end();) {
    if (combining_class(*i) == 0) {
      ++i;
      continue;
    }
    const auto end = std::find_if(i, code_points.end(), [](auto c) { return combining_class(c) == 0; });
    if (end - i > 1) {
      // Class (8 bits), position (35 bits) and code point (21 bits) as one number to sort by.
      scratch.marks.clear();
      for (auto mark = i; mark != end; ++mark) {
        const auto position = static_cast<std::uint64_t>(mark - i);
        scratch.marks.push_back((static_cast<std::uint64_t>(combining_class(*mark)) << 56) |
                                (position << 21) | static_cast<std::uint64_t>(*mark));
      }
      std::sort(scratch.marks.begin(), scratch.marks.end());
      for (const std::uint64_t mark : scratch.marks)
        *i++ = static_cast<utf8proc_int32_t>(mark & ((1u << 21) - 1));
    }
    i = end;
  }
}

/// Appends the NFC of a part that shares no composition with its neighbours.
Status append_part(std::string_view part, NfcScratch& scratch, std::string& out) {
  auto& code_points = scratch.code_points;
  code_points.clear();
  for (std::size_t pos = 0; pos < part.size();) {
    constexpr utf8proc_ssize_t kMost = 8;  // a canonical decomposition has at most 4 code points
    utf8proc_int32_t buffer[kMost];
    const auto code_point = static_cast<utf8proc_int32_t>(next_code_point(part, pos));
    const auto n = utf8proc_decompose_char(code_point, buffer, kMost, kDecompose, nullptr);
    if (n < 0 || n > kMost) return Error{ErrorCode::internal, "a character does not decompose"};
    code_points.insert(code_points.end(), buffer, buffer + n);
  }
  sort_marks(scratch);
  const auto n = utf8proc_normalize_utf32(code_points.data(),
                                          static_cast<utf8proc_ssize_t>(code_points.size()), kCompose);
  if (n < 0) return Error{ErrorCode::internal, "decomposed text does not compose"};
  for (utf8proc_ssize_t i = 0; i < n; ++i)
    append_utf8(static_cast<std::uint32_t>(code_points[static_cast<std::size_t>(i)]), out);
  return {};
}

/// Start of the first character at or after pos for which nfc_may_change is `wanted`; `previous` is the start
/// of the character before it when there is one at or after pos, else unchanged.
std::size_t find_change(std::string_view text, std::size_t pos, bool wanted, std::size_t& previous) noexcept {
  while (pos < text.size()) {
    const std::size_t start = pos;
    if (UnicodeClasses::nfc_may_change(next_code_point(text, pos)) == wanted) return start;
    previous = start;
  }
  return pos;
}

}  // namespace

bool is_surely_nfc(std::string_view text) noexcept {
  for (std::size_t pos = find_non_ascii(text); pos < text.size();) {
    if (UnicodeClasses::nfc_may_change(next_code_point(text, pos))) return false;
    if (pos < text.size() && static_cast<unsigned char>(text[pos]) < 0x80) pos = find_non_ascii(text, pos);
  }
  return true;
}

Status append_nfc(std::string_view text, NfcScratch& scratch, std::string& out, OffsetMap* map) {
  const std::size_t base = out.size();
  for (std::size_t pos = 0; pos < text.size();) {
    std::size_t part = pos;  // the part to work on starts with the character that marks may join
    const std::size_t change = find_change(text, pos, true, part);
    if (change == text.size()) part = change;
    // utf8proc knows marks that are younger than the reference, for which they are no marks: they stay in
    // place.
    std::size_t behind = part;
    if (part < change && combining_class(static_cast<utf8proc_int32_t>(next_code_point(text, behind))) != 0)
      part = change;
    out.append(text.substr(pos, part - pos));
    std::size_t unused = 0;
    pos = find_change(text, change, false, unused);
    if (part == pos) continue;
    const std::size_t begin = out.size();
    Q3G_TRY(append_part(text.substr(part, pos - part), scratch, out));
    if (map != nullptr) map->add({part, pos, begin - base, out.size() - base});
  }
  return {};
}

}  // namespace qwen3guard::detail

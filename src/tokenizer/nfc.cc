// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/nfc.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "tokenizer/unicode_classes.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

static_assert(std::is_same_v<utf8proc_int32_t, std::int32_t>);

constexpr auto kCompose = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
constexpr auto kDecompose = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);

std::size_t combining_class(std::int32_t code_point) noexcept {
  return static_cast<std::size_t>(utf8proc_get_property(code_point)->combining_class);
}

/// The end of a string, or (without one) only its size.
class Output {
 public:
  Output(std::string* out, std::size_t max_bytes) noexcept : out_(out), max_bytes_(max_bytes) {}

  void append(std::string_view text) {
    if (out_ != nullptr) out_->append(text);
    n_bytes_ += text.size();
  }
  void append(std::int32_t code_point) {
    const auto value = static_cast<std::uint32_t>(code_point);
    if (out_ != nullptr) append_utf8(value, *out_);
    n_bytes_ += utf8_size(value);
  }
  /// Room for n bytes, to be written by the caller; null when nobody wants them.
  [[nodiscard]] char* extend(std::size_t n) {
    n_bytes_ += n;
    if (out_ == nullptr) return nullptr;
    out_->resize(out_->size() + n);
    return out_->data() + (out_->size() - n);
  }
  [[nodiscard]] std::size_t n_bytes() const noexcept { return n_bytes_; }
  [[nodiscard]] bool is_over() const noexcept { return n_bytes_ > max_bytes_; }

 private:
  std::string* out_;
  std::size_t max_bytes_, n_bytes_ = 0;
};

/// The canonical decomposition of a text (UTF-8), one code point after the other. A plain value: a copy is a
/// place to come back to.
class Decomposition {
 public:
  explicit Decomposition(std::string_view text) noexcept : text_(text) {}

  /// False at the end.
  [[nodiscard]] bool next(std::int32_t& code_point) noexcept {
    if (i_ == n_) {
      if (pos_ == text_.size()) return false;
      parts_[0] = static_cast<std::int32_t>(next_code_point(text_, pos_));
      const auto n = utf8proc_decompose_char(parts_[0], parts_, kMost, kDecompose, nullptr);
      n_ = n < 1 || n > kMost ? 1 : static_cast<int>(n);
      i_ = 0;
    }
    code_point = parts_[i_++];
    return true;
  }

 private:
  static constexpr int kMost = 8;  // a canonical decomposition has at most 4

  std::string_view text_;
  std::size_t pos_ = 0;
  std::int32_t parts_[kMost] = {};
  int i_ = 0, n_ = 0;
};

/// Writes the NFC of parts that share no composition with their neighbours. However long a part is, little of
/// it is pending.
class PartWriter {
 public:
  PartWriter(NfcScratch& scratch, Output& out) noexcept
      : pending_(scratch.code_points),
        classes_(scratch.classes),
        max_pending_(scratch.max_pending),
        max_marks_(scratch.max_marks),
        out_(out) {}

  /// Stops early when there is enough.
  void write(std::string_view part) {
    pending_.clear();
    Decomposition at(part), marks = at;  // marks: behind the last starter
    std::size_t n_marks = 0;
    for (std::int32_t code_point = 0; at.next(code_point);) {
      if (combining_class(code_point) == 0) {
        if (pending_.size() >= max_pending_) write_but_last_starter();
        if (out_.is_over()) return;
        n_marks = 0;
        marks = at;
      } else if (n_marks++ == max_marks_) {
        pending_.resize(pending_.size() - max_marks_);
        write_marks(marks);
        at = marks;
        n_marks = 0;
        continue;
      }
      pending_.push_back(code_point);
    }
    compose();
    write_pending(pending_.size());
  }

 private:
  /// Canonical ordering and composition of what is pending. utf8proc's own ordering is quadratic in a run of
  /// marks; here a run has at most max_marks_.
  void compose() {
    for (std::size_t i = 1; i < pending_.size(); ++i) {
      const std::int32_t code_point = pending_[i];
      const std::size_t wanted = combining_class(code_point);
      if (wanted == 0) continue;
      std::size_t k = i;
      for (; k > 0 && combining_class(pending_[k - 1]) > wanted; --k) pending_[k] = pending_[k - 1];
      pending_[k] = code_point;
    }
    const auto n =
        utf8proc_normalize_utf32(pending_.data(), static_cast<utf8proc_ssize_t>(pending_.size()), kCompose);
    if (n >= 0) pending_.resize(static_cast<std::size_t>(n));
  }

  void write_pending(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out_.append(pending_[i]);
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(n));
  }

  /// A starter at the end may be joined by what follows it.
  void write_but_last_starter() {
    compose();
    const bool ends_with_starter = !pending_.empty() && combining_class(pending_.back()) == 0;
    write_pending(pending_.size() - (ends_with_starter ? 1 : 0));
  }

  /// What a starter and a mark compose to; -1 when they do not.
  [[nodiscard]] static std::int32_t composite(std::int32_t starter, std::int32_t mark) noexcept {
    std::int32_t pair[2] = {starter, mark};
    return utf8proc_normalize_utf32(pair, 2, kCompose) == 1 ? pair[0] : -1;
  }

  /// Writes a long run of marks, and before it what is pending, which ends with the starter that the marks
  /// follow, if there is one. Moves `at` from the first mark to behind the last. Each mark goes straight to
  /// its place in the output, because sorting an array of them would take several times the memory of the
  /// text.
  void write_marks(Decomposition& at) {
    write_but_last_starter();
    std::int32_t starter = pending_.empty() ? -1 : pending_.back();
    pending_.clear();
    classes_.assign(kClasses, {});
    Decomposition end = at;
    std::int32_t mark = 0;
    for (Decomposition look = at; look.next(mark) && combining_class(mark) != 0; end = look) {
      NfcScratch::MarkClass& its = classes_[combining_class(mark)];
      if (its.n < std::size(its.first)) its.first[its.n] = mark;
      ++its.n;
      its.n_bytes += utf8_size(static_cast<std::uint32_t>(mark));
    }
    // The first marks of a class may join the starter, as long as each one does: those behind are blocked.
    std::size_t n_bytes = 0;
    for (NfcScratch::MarkClass& its : classes_) {
      for (; starter >= 0 && its.n_joined < std::min(its.n, std::size(its.first)); ++its.n_joined) {
        const std::int32_t joined = composite(starter, its.first[its.n_joined]);
        if (joined < 0) break;
        starter = joined;
        its.n_bytes -= utf8_size(static_cast<std::uint32_t>(its.first[its.n_joined]));
      }
      its.begin = n_bytes;
      n_bytes += its.n_bytes;
    }
    if (starter >= 0) out_.append(starter);
    if (char* const to = out_.extend(n_bytes); to != nullptr) {
      for (Decomposition each = at; each.next(mark) && combining_class(mark) != 0;) {
        NfcScratch::MarkClass& its = classes_[combining_class(mark)];
        if (its.n_joined > 0) {
          --its.n_joined;
          continue;
        }
        its.begin += put_utf8(static_cast<std::uint32_t>(mark), to + its.begin);
      }
    }
    at = end;
  }

  static constexpr std::size_t kClasses = 256;

  std::vector<std::int32_t>& pending_;
  std::vector<NfcScratch::MarkClass>& classes_;
  std::size_t max_pending_, max_marks_;
  Output& out_;
};

/// Start of the first character at or after pos for which nfc_may_change; `previous` is the start of the
/// character before it when there is one at or after pos, else unchanged.
std::size_t find_change(std::string_view text, std::size_t pos, std::size_t& previous) noexcept {
  while (pos < text.size()) {
    const std::size_t start = pos;
    if (UnicodeClasses::nfc_may_change(next_code_point(text, pos))) return start;
    previous = start;
  }
  return pos;
}

/// Start of the first character behind the one at pos that starts a part of its own.
std::size_t part_end(std::string_view text, std::size_t pos) noexcept {
  if (pos < text.size()) static_cast<void>(next_code_point(text, pos));
  for (std::size_t next = pos; next < text.size(); pos = next) {
    if (starts_nfc_part(next_code_point(text, next))) break;
  }
  return pos;
}

void write_nfc(std::string_view text, NfcScratch& scratch, Output& out, OffsetMap* map) {
  PartWriter writer(scratch, out);
  for (std::size_t pos = 0; pos < text.size() && !out.is_over();) {
    std::size_t part = pos;  // the part to work on starts with the character that marks may join
    const std::size_t change = find_change(text, pos, part);
    if (change == text.size()) part = change;
    // utf8proc knows marks that are younger than the reference, for which they are no marks: they stay in
    // place.
    std::size_t behind = part;
    if (part < change && combining_class(static_cast<std::int32_t>(next_code_point(text, behind))) != 0)
      part = change;
    out.append(text.substr(pos, part - pos));
    pos = part_end(text, change);
    if (part == pos) continue;
    const std::size_t begin = out.n_bytes();
    writer.write(text.substr(part, pos - part));
    if (map != nullptr) map->add({part, pos, begin, out.n_bytes()});
  }
}

}  // namespace

bool starts_nfc_part(std::uint32_t code_point) noexcept {
  if (!UnicodeClasses::nfc_may_change(code_point)) return true;
  // Or its decomposition does: composition joins its first character to nothing before it.
  std::string text;
  append_utf8(code_point, text);
  std::int32_t first = 0;
  if (!Decomposition(text).next(first)) return false;
  return combining_class(first) == 0 && !UnicodeClasses::nfc_may_change(static_cast<std::uint32_t>(first));
}

bool is_surely_nfc(std::string_view text) noexcept {
  for (std::size_t pos = find_non_ascii(text); pos < text.size();) {
    if (UnicodeClasses::nfc_may_change(next_code_point(text, pos))) return false;
    if (pos < text.size() && static_cast<unsigned char>(text[pos]) < 0x80) pos = find_non_ascii(text, pos);
  }
  return true;
}

bool append_nfc(std::string_view text, NfcScratch& scratch, std::string& out, OffsetMap* map,
                std::size_t max_bytes) {
  // Growing by doubling would take as much as the text once more, or twice: of a long one the size is
  // counted.
  constexpr std::size_t kLongBytes = std::size_t{1} << 18;
  if (text.size() > kLongBytes) {
    Output size(nullptr, max_bytes);
    write_nfc(text, scratch, size, nullptr);
    if (size.is_over()) return false;
    out.reserve(out.size() + size.n_bytes());
  }
  Output end(&out, max_bytes);
  write_nfc(text, scratch, end, map);
  return !end.is_over();
}

}  // namespace qwen3guard::detail

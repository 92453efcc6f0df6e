// SPDX-License-Identifier: Apache-2.0
#include "util/json_position.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::string_view kJsonSpace = " \t\n\r";

/// Goes through the tokens of JSON text, and stops in front of the first that is out of place. It knows the
/// structure only: what a string or a number may look like is simdjson's to say.
class JsonWalk {
 public:
  explicit JsonWalk(std::string_view text) : text_(text) {}

  /// Goes to the value at `path`. False: there is none, and at() is where the text ends or is out of place.
  bool go_to(std::span<const std::size_t> path) {
    while (next()) {
      const bool is_here =
          is_at_value_ && open_.size() == path.size() &&
          std::equal(path.begin(), path.end(), open_.begin(),
                     [](std::size_t index, const Open& open) { return index == open.index; });
      if (is_here) return true;
      if (!take()) return false;
    }
    return false;
  }

  /// Goes through all of it. False: at() is where it is out of place.
  bool check_scalars() {
    while (next()) {
      if (!take()) return false;
    }
    return is_done_ && pos_ == text_.size();
  }

  /// The token; of a member, its key.
  [[nodiscard]] std::size_t at() const noexcept { return key_at_.value_or(pos_); }

 private:
  struct Open {
    bool is_object = false;
    std::size_t index = 0;  ///< of the element that is being read
  };

  /// Moves to the next value, over a comma, a key and a colon. False: at the end, or out of place.
  bool next() {
    key_at_.reset();
    skip_space();
    if (is_done_ || pos_ == text_.size()) return false;
    if (!open_.empty() && !open_first_) {
      if (text_[pos_] == closing()) return is_at_value_ = false, true;
      if (text_[pos_] != ',') return false;
      ++pos_;
      ++open_.back().index;
      skip_space();
    } else if (!open_.empty() && pos_ < text_.size() && text_[pos_] == closing()) {
      return is_at_value_ = false, true;
    }
    is_at_value_ = true;
    if (open_.empty() || !open_.back().is_object) return pos_ < text_.size();
    const std::size_t key_at = pos_;
    if (pos_ == text_.size() || text_[pos_] != '"' || !scalar()) return false;
    skip_space();
    if (pos_ == text_.size() || text_[pos_] != ':') return false;
    ++pos_;
    skip_space();
    if (pos_ == text_.size()) return false;
    key_at_ = key_at;
    return true;
  }

  /// Goes past a scalar or a bracket.
  bool take() {
    open_first_ = false;
    const char c = text_[pos_];
    if (!is_at_value_) {
      ++pos_;
      open_.pop_back();
    } else if (c == '{' || c == '[') {
      open_.push_back({c == '{', 0});
      open_first_ = true;
      ++pos_;
      return true;
    } else {
      key_at_.reset();
      if (!scalar()) return false;
    }
    is_done_ = open_.empty();
    return true;
  }

  /// Goes past a string, a number or a word. False, and stays: it is none.
  bool scalar() {
    std::size_t end = pos_;
    if (text_[pos_] == '"') {
      ++end;
      while (end < text_.size() && text_[end] != '"' && text_[end] != '\n') end += text_[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, text_.size());
    } else {
      end = std::min(text_.find_first_of(" \t\n\r,:[]{}\x22", pos_), text_.size());
    }
    simdjson::dom::element value;
    if (parser_.parse(text_.data() + pos_, end - pos_).get(value) != simdjson::SUCCESS) return false;
    pos_ = end;
    return true;
  }

  [[nodiscard]] char closing() const noexcept { return open_.back().is_object ? '}' : ']'; }

  void skip_space() noexcept { pos_ = std::min(text_.find_first_not_of(kJsonSpace, pos_), text_.size()); }

  std::string_view text_;
  std::size_t pos_ = 0;
  simdjson::dom::parser parser_;
  std::vector<Open> open_;
  std::optional<std::size_t> key_at_;
  bool open_first_ = false, is_at_value_ = false, is_done_ = false;
};

}  // namespace

std::size_t find_json_value(std::string_view text, std::span<const std::size_t> path) {
  JsonWalk walk(text);
  static_cast<void>(walk.go_to(path));
  return walk.at();
}

std::optional<std::size_t> find_json_fault(std::string_view text) {
  if (const auto invalid = find_invalid_utf8(text)) return invalid;
  JsonWalk walk(text);
  if (walk.check_scalars()) return std::nullopt;
  return walk.at();
}

LineAndColumn line_and_column(std::string_view text, std::size_t at) noexcept {
  const std::string_view before = text.substr(0, at);
  const auto n_lines = std::count(before.begin(), before.end(), '\n');
  const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  const auto n_characters =
      std::count_if(before.begin() + static_cast<std::ptrdiff_t>(line_begin), before.end(),
                    [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return {static_cast<std::size_t>(n_lines) + 1, static_cast<std::size_t>(n_characters) + 1};
}

}  // namespace qwen3guard::detail

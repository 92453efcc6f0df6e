// SPDX-License-Identifier: Apache-2.0
#include "reply_reader.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace load {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool equal(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool read_number(std::string_view text, int base, std::size_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end != text.data();
}

}  // namespace

bool ReplyReader::take(std::string_view bytes) {
  if (is_whole_) return bytes.empty();  // nobody asked for more
  if (has_head_ && !is_chunked_) {
    take_body(bytes);
    return true;
  }
  in_ += bytes;
  if (!has_head_) {
    const std::size_t end = in_.find("\r\n\r\n");
    if (end == std::string::npos) return in_.size() < 65536;
    const std::string head = in_.substr(0, end + 2);
    in_.erase(0, end + 4);
    if (!read_head(head)) return false;
    if (reply_.status == 100) return reply_ = {}, take("");  // "Continue": the reply is still to come
    has_head_ = true;
    if (on_piece_) on_piece_("");
    if (!is_chunked_) {
      const std::string rest = std::exchange(in_, {});
      take_body(rest);
      return true;
    }
  }
  return take_chunks();
}

/// head: with its last line's end, without the empty line.
bool ReplyReader::read_head(std::string_view head) {
  std::size_t status = 0;
  if (head.substr(0, 7) != "HTTP/1." || head.size() < 12 || !read_number(head.substr(9, 3), 10, status))
    return false;
  reply_.status = static_cast<int>(status);
  for (head.remove_prefix(head.find(kLineEnd) + 2); !head.empty();
       head.remove_prefix(head.find(kLineEnd) + 2)) {
    const std::string_view line = head.substr(0, head.find(kLineEnd));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return false;
    const std::string_view name = line.substr(0, colon);
    std::string_view value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    if (equal(name, "content-length") && !read_number(value, 10, length_)) return false;
    if (equal(name, "transfer-encoding")) is_chunked_ = equal(value, "chunked");
    if (equal(name, "connection") && equal(value, "close")) reply_.keeps_alive = false;
    if (equal(name, "x-request-id")) reply_.request_id = value;
    if (equal(name, "content-type")) reply_.content_type = value;
    if (equal(name, "retry-after")) reply_.has_retry_after = true;
  }
  return true;
}

void ReplyReader::take_body(std::string_view bytes) {
  if (length_ != kToTheEnd) bytes = bytes.substr(0, length_ - n_taken_);
  n_taken_ += bytes.size();
  if (on_piece_ && !bytes.empty()) {
    on_piece_(bytes);
  } else {
    reply_.body += bytes;
  }
  if (!is_chunked_ && n_taken_ == length_) is_whole_ = true;
}

bool ReplyReader::take_chunks() {
  for (;;) {
    const std::size_t line_end = in_.find(kLineEnd);
    if (line_end == std::string::npos) return in_.size() < 65536;
    std::size_t n = 0;
    if (!read_number(std::string_view(in_).substr(0, line_end), 16, n)) return false;
    const std::size_t whole = line_end + 2 + n + 2;
    if (in_.size() < whole) return true;
    if (n == 0) {  // trailers are not used by anything that is measured here
      is_whole_ = true;
      return true;
    }
    const std::string piece = in_.substr(line_end + 2, n);
    in_.erase(0, whole);
    take_body(piece);
  }
}

}  // namespace load

// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_SSE_READER_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_SSE_READER_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace qwen3guard::server {

/// The data of server-sent events (text/event-stream), from bytes that are split anywhere. Lines end in CR,
/// LF or both; comments and the fields event, id and retry are passed over. An event that the stream ends in
/// is none, as the standard says.
class SseReader {
 public:
  /// max_event_bytes: of an event's data, and of a line.
  explicit SseReader(std::size_t max_event_bytes) noexcept : max_event_bytes_(max_event_bytes) {}

  /// The data of the events that these bytes complete. Once something was too long nothing is read any more.
  [[nodiscard]] std::vector<std::string> read(std::string_view bytes);
  [[nodiscard]] bool is_too_long() const noexcept { return is_too_long_; }

 private:
  void end_line(std::vector<std::string>& events);

  const std::size_t max_event_bytes_;
  std::string line_, data_;
  bool has_data_ = false, is_behind_cr_ = false, is_first_line_ = true, is_too_long_ = false;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_SSE_READER_HPP

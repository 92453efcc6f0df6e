// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/sse_reader.hpp"

#include <utility>

namespace qwen3guard::server {

std::vector<std::string> SseReader::read(std::string_view bytes) {
  std::vector<std::string> events;
  while (!bytes.empty() && !is_too_long_) {
    if (std::exchange(is_behind_cr_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    line_ += bytes.substr(0, end);
    is_too_long_ = line_.size() > max_event_bytes_;
    if (end == std::string_view::npos || is_too_long_) break;
    is_behind_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    end_line(events);
  }
  return events;
}

void SseReader::end_line(std::vector<std::string>& events) {
  std::string_view line = line_;
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (std::exchange(is_first_line_, false) && line.starts_with(kByteOrderMark))
    line.remove_prefix(kByteOrderMark.size());
  if (line.empty()) {
    if (std::exchange(has_data_, false)) events.push_back(std::move(data_));
    data_.clear();
  } else if (line == "data" || line.starts_with("data:")) {
    line.remove_prefix(line.size() > 4 ? 5 : 4);
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (std::exchange(has_data_, true)) data_ += '\n';
    data_ += line;
    is_too_long_ = data_.size() > max_event_bytes_;
  }
  line_.clear();
}

}  // namespace qwen3guard::server

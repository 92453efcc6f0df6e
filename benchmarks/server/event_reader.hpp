// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_BENCHMARKS_SERVER_EVENT_READER_HPP
#define QWEN3GUARD_BENCHMARKS_SERVER_EVENT_READER_HPP

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace load {

/// Server-sent events from pieces of any size; lines end in a line feed.
class EventReader {
 public:
  using OnEvent = std::function<void(std::string_view name, std::string_view data)>;
  explicit EventReader(OnEvent on_event) : on_event_(std::move(on_event)) {}

  void take(std::string_view bytes) {
    for (const char c : bytes) {
      if (c != '\n') {
        line_ += c;
        continue;
      }
      take_line(line_);
      line_.clear();
    }
  }

 private:
  void take_line(std::string_view line) {
    constexpr std::string_view kName = "event: ", kData = "data: ";
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) {
      if (!data_.empty()) on_event_(name_, data_);
      name_.clear();
      data_.clear();
    } else if (line.substr(0, kName.size()) == kName) {
      name_ = line.substr(kName.size());
    } else if (line.substr(0, kData.size()) == kData) {
      data_ += line.substr(kData.size());
    }
  }

  OnEvent on_event_;
  std::string line_, name_, data_;
};

}  // namespace load

#endif  // QWEN3GUARD_BENCHMARKS_SERVER_EVENT_READER_HPP

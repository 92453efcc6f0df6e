// SPDX-License-Identifier: Apache-2.0
#include "scripted_host.hpp"

#include <algorithm>

namespace chat {

using namespace qwen3guard;

namespace {

/// Letters of a piece: about a token.
constexpr std::size_t kPieceBytes = 4;

}  // namespace

Result<std::vector<ScriptedHost::Answer>> ScriptedHost::parse(std::string_view text) {
  std::vector<Answer> answers(1, Answer(1));
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::string& version = answers.back().back();
    if (line == "---") {
      answers.emplace_back(1);
    } else if (line == "or") {
      answers.back().emplace_back();
    } else {
      if (!version.empty()) version += '\n';
      version += line;
    }
  }
  std::erase_if(answers, [](const Answer& answer) { return answer.size() == 1 && answer.front().empty(); });
  if (answers.empty()) return Error{ErrorCode::invalid_argument, "script: no answer in it"};
  return answers;
}

Status ScriptedHost::begin(std::span<const Message> messages) {
  static_cast<void>(messages);
  ++n_begun_;
  version_ = n_pieces_ = 0;
  return {};
}

Result<std::optional<std::string>> ScriptedHost::next() {
  const Answer& answer = answers_[(n_begun_ - 1) % answers_.size()];
  const std::string& text = answer[std::min(version_, answer.size() - 1)];
  const std::size_t begin = n_pieces_ * kPieceBytes;
  if (begin >= text.size()) return std::optional<std::string>();
  ++n_pieces_;
  return std::optional<std::string>(text.substr(begin, kPieceBytes));
}

Status ScriptedHost::rewind(std::size_t n) {
  if (n > n_pieces_) return Error{ErrorCode::invalid_argument, "script: a rewind ahead of the answer"};
  n_pieces_ = n;
  ++version_;
  return {};
}

}  // namespace chat

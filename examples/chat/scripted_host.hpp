// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_EXAMPLES_CHAT_SCRIPTED_HOST_HPP
#define QWEN3GUARD_EXAMPLES_CHAT_SCRIPTED_HOST_HPP

#include <string_view>
#include <vector>

#include "host.hpp"

namespace chat {

/// Answers from a script, for tests and for trying the guard without a large model. Each answer has one or
/// more versions; every rewind goes on in the next version, at the same place. After the last answer the
/// script starts again, after the last version the last one stays.
class ScriptedHost : public Host {
 public:
  using Answer = std::vector<std::string>;

  explicit ScriptedHost(std::vector<Answer> answers) : answers_(std::move(answers)) {}

  /// A script as text: answers are separated by lines of "---", their versions by lines of "or". Errors:
  /// invalid_argument (there is no answer).
  [[nodiscard]] static qwen3guard::Result<std::vector<Answer>> parse(std::string_view text);

  qwen3guard::Status begin(std::span<const qwen3guard::Message> messages) override;
  qwen3guard::Result<std::optional<std::string>> next() override;
  qwen3guard::Status rewind(std::size_t n) override;

 private:
  std::vector<Answer> answers_;
  std::size_t n_begun_ = 0, version_ = 0;
  std::size_t n_pieces_ = 0;
};

}  // namespace chat

#endif  // QWEN3GUARD_EXAMPLES_CHAT_SCRIPTED_HOST_HPP

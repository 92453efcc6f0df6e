// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_BENCHMARKS_SERVER_TEXTS_HPP
#define QWEN3GUARD_BENCHMARKS_SERVER_TEXTS_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "client.hpp"

namespace load {

/// A prompt of one to three sentences, harmless ones and others; no two numbers have the same.
[[nodiscard]] std::string prompt_text(std::size_t number);
/// An answer of some 40 words in pieces as a model writes them, a few words each.
[[nodiscard]] std::vector<std::string> answer_pieces(std::size_t number);

/// The text as a JSON string. For texts of printable ASCII.
[[nodiscard]] std::string quoted(std::string_view text);
/// The body of a request to /v1/moderations, or, with a model's name, of one to such a door of a peer.
[[nodiscard]] std::string moderation_body(std::string_view text, std::string_view model = {});

/// What a reply says about a text: enough to tell two texts' verdicts apart.
struct Said {
  std::string severity;
  double unsafe = -1;     ///< its probability
  double latency_ms = 0;  ///< that the verdict took, by its own account
  /// The verdict of the same text; batches change the last digits.
  [[nodiscard]] bool is_same(const Said& other) const noexcept;
};
/// Reads it out of the body of our /v1/moderations. The body is long and the generator is to be fast, so the
/// members are searched for and the rest is not looked at. severity is empty when they are not there.
[[nodiscard]] Said what_is_said(std::string_view body);

/// Texts with the verdicts that the server gave them while nothing else was asked.
class KnownTexts {
 public:
  /// Asks for each of the first n texts. Throws std::runtime_error: a reply that is no verdict.
  KnownTexts(boost::asio::io_context& io, const Target& target, std::size_t n);

  [[nodiscard]] const std::string& body(std::size_t number) const { return bodies_[number % bodies_.size()]; }
  [[nodiscard]] const Said& said(std::size_t number) const { return said_[number % said_.size()]; }
  /// How many different verdicts there are.
  [[nodiscard]] std::size_t n_different() const;

 private:
  std::vector<std::string> bodies_;
  std::vector<Said> said_;
};

}  // namespace load

#endif  // QWEN3GUARD_BENCHMARKS_SERVER_TEXTS_HPP

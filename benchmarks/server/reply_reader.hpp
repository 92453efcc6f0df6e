// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_BENCHMARKS_SERVER_REPLY_READER_HPP
#define QWEN3GUARD_BENCHMARKS_SERVER_REPLY_READER_HPP

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace load {

/// What a benchmark looks at of a reply.
struct Reply {
  int status = 0;
  std::string request_id;  ///< x-request-id
  std::string content_type;
  bool has_retry_after = false;
  bool keeps_alive = true;
  std::string body;  ///< empty where the pieces were asked for
};

/// Reads one HTTP/1.1 reply from pieces of any size.
class ReplyReader {
 public:
  using OnPiece = std::function<void(std::string_view)>;

  /// on_piece: gets the body as it comes, decoded, and "" when the head has come; none: it is collected.
  explicit ReplyReader(OnPiece on_piece = nullptr) : on_piece_(std::move(on_piece)) {}

  /// False: this is no HTTP.
  [[nodiscard]] bool take(std::string_view bytes);
  /// The connection has ended; true when that ends the body.
  [[nodiscard]] bool take_end() noexcept { return is_whole_ || (length_ == kToTheEnd && has_head_); }
  [[nodiscard]] bool is_whole() const noexcept { return is_whole_; }
  /// Something has come.
  [[nodiscard]] bool has_begun() const noexcept { return has_head_ || !in_.empty(); }
  [[nodiscard]] Reply& reply() noexcept { return reply_; }

 private:
  static constexpr std::size_t kToTheEnd = static_cast<std::size_t>(-1);

  [[nodiscard]] bool read_head(std::string_view head);
  void take_body(std::string_view bytes);
  [[nodiscard]] bool take_chunks();

  OnPiece on_piece_;
  Reply reply_;
  std::string in_;  // not looked at yet
  std::size_t length_ = kToTheEnd, n_taken_ = 0;
  bool has_head_ = false, is_chunked_ = false, is_whole_ = false;
};

}  // namespace load

#endif  // QWEN3GUARD_BENCHMARKS_SERVER_REPLY_READER_HPP

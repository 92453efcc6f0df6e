// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_BENCHMARKS_SERVER_CLIENT_HPP
#define QWEN3GUARD_BENCHMARKS_SERVER_CLIENT_HPP

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "asio.hpp"
#include "reply_reader.hpp"

namespace load {

using Clock = std::chrono::steady_clock;

inline double ms_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double, std::milli>(end - begin).count();
}
inline double ms_since(Clock::time_point begin) { return ms_between(begin, Clock::now()); }

/// A server: "http://127.0.0.1:8080".
struct Target {
  std::string host, port, key;  ///< key: for "authorization: Bearer"; may be empty
  boost::asio::ip::tcp::endpoint endpoint;

  /// Throws std::runtime_error: no such URL or host.
  [[nodiscard]] static Target resolve(boost::asio::io_context& io, const std::string& url);
  /// A whole request. id: its x-request-id; may be empty.
  [[nodiscard]] std::string request(std::string_view method, std::string_view path,
                                    std::string_view body = {}, std::string_view id = {}) const;
};

/// One connection that is kept, and made again when the server has closed it. One request at a time. Lives as
/// long as it waits for something.
class Client : public std::enable_shared_from_this<Client> {
 public:
  /// is_whole: false when the connection broke before the reply's end, or there was none.
  using Done = std::function<void(bool is_whole, Reply& reply)>;

  Client(boost::asio::io_context& io, const Target& target) : target_(target), socket_(io) {}

  /// Sends, and calls `done` when the reply has come. `on_piece`, where given, gets the body as it comes.
  void send(std::string request, Done done, ReplyReader::OnPiece on_piece = nullptr);
  /// What is waited for is given up; its `done` is dropped.
  void close();
  [[nodiscard]] bool is_busy() const noexcept { return is_busy_; }
  [[nodiscard]] boost::asio::ip::tcp::socket& socket() noexcept { return socket_; }

 private:
  void connect();
  void write();
  void read();
  void finish(bool is_whole);
  [[nodiscard]] bool is_usable();

  const Target& target_;
  boost::asio::ip::tcp::socket socket_;
  std::array<char, 8192> piece_{};
  std::string request_;
  Done done_;
  ReplyReader reader_;
  std::size_t number_ = 0;  // of the request: what belongs to one that was given up is not for the next
  bool is_busy_ = false;
};

/// Runs the loop until a request is answered. Throws std::runtime_error when there is no reply.
Reply ask(boost::asio::io_context& io, const Target& target, std::string request);

/// Runs the loop until `is_done` or the time has passed; false: the latter.
bool run_until(boost::asio::io_context& io, const std::function<bool()>& is_done, Clock::time_point deadline);

/// Runs the loop until what `begin` has begun calls back, and says with what; false, too, when it takes more
/// than half a minute.
bool wait_for(boost::asio::io_context& io, const std::function<void(std::function<void(bool)>)>& begin);

}  // namespace load

#endif  // QWEN3GUARD_BENCHMARKS_SERVER_CLIENT_HPP

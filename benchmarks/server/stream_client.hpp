// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_BENCHMARKS_SERVER_STREAM_CLIENT_HPP
#define QWEN3GUARD_BENCHMARKS_SERVER_STREAM_CLIENT_HPP

#include <functional>
#include <memory>
#include <string>

#include "client.hpp"
#include "event_reader.hpp"

namespace load {

/// A session of /v1/stream: what it is told goes over one connection, its events come over another.
class StreamClient {
 public:
  using Done = std::function<void(bool is_ok)>;

  StreamClient(boost::asio::io_context& io, const Target& target);
  StreamClient(const StreamClient&) = delete;
  StreamClient& operator=(const StreamClient&) = delete;
  /// Breaks the connections; the session is left to its server.
  ~StreamClient();

  /// Opens the session, then its events; `done` when the latter have begun. prompt: "" for a session that is
  /// told nothing yet.
  void open(const std::string& prompt, EventReader::OnEvent on_event, Done done);
  /// Opens the session only.
  void open_without_events(const std::string& prompt, Done done);
  /// Begins to get the events, after open_without_events().
  void listen(EventReader::OnEvent on_event, Done done);
  /// More of the answer. ends: it is the last.
  void push(const std::string& text, bool ends, Done done);
  /// The answer from its begin in the place of what was pushed: the conversation does not grow.
  void push_anew(const std::string& text, Done done);
  /// Ends the session.
  void remove(Done done);
  /// Gives up the connection that push() uses, until it is called again.
  void stop_pushing() { pushes_->close(); }
  [[nodiscard]] boost::asio::ip::tcp::socket& events_socket() noexcept { return events_->socket(); }
  [[nodiscard]] const std::string& id() const noexcept { return id_; }

 private:
  void post(const std::string& body, Done done);

  const Target& target_;
  std::shared_ptr<Client> pushes_, events_;
  std::string id_;
};

}  // namespace load

#endif  // QWEN3GUARD_BENCHMARKS_SERVER_STREAM_CLIENT_HPP

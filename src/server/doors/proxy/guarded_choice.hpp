// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_GUARDED_CHOICE_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_GUARDED_CHOICE_HPP

#include <cstddef>
#include <deque>
#include <map>
#include <string>

#include "server/doors/proxy/argument_text.hpp"
#include "server/doors/proxy/guard_event.hpp"
#include "server/doors/proxy/guarded_channel.hpp"

namespace qwen3guard::server {

/// One choice of an answer: its channels, one after the other as the upstream writes them. A channel that
/// another one follows has ended for now, so that its held text comes out; when it goes on, so does its
/// session. Pool's thread.
class GuardedChoice {
 public:
  GuardedChoice(const GuardSetup& setup, int index) : setup_(setup), index_(index) {}

  void take(ChoicePiece piece);
  /// Appends what has come out. prompt: the session to begin from.
  void step(StreamBatch& batch, StreamId prompt, GuardEvents& events);
  void close(StreamBatch& batch);

  /// Nothing more comes out.
  [[nodiscard]] bool is_over() const noexcept { return is_over_; }
  /// Bytes that were not put yet.
  [[nodiscard]] std::size_t waiting_bytes() const noexcept { return waiting_bytes_; }

 private:
  /// Text of one channel without another's in between.
  struct Run {
    Channel channel;
    std::string text;
  };
  struct Guarded {
    explicit Guarded(const GuardSetup& setup) : channel(setup) {}
    GuardedChannel channel;
    // Of a call: the name is judged in front of the arguments, a line break between them. @{
    std::string call_id, name;
    ArgumentText arguments;
    std::string name_out;                                                         // as far as it came out
    bool has_arguments = false, has_shown_name = false, has_shown_break = false;  // @}
  };

  void add(Part part);
  void add_text(const Channel& channel, const std::string& text);
  [[nodiscard]] std::string call_text(Guarded& call, Part part);
  void show(const Channel& channel, Guarded& guarded, std::string text, bool has_ended, GuardEvents& events);
  void end(StreamBatch& batch, GuardEvents& events);
  void block(StreamBatch& batch, const Channel& channel, const GuardedChannel& guarded, GuardEvents& events);
  void fail(StreamBatch& batch, const Channel& channel, Error error, GuardEvents& events);
  void report(const Channel* unjudged, GuardEvents& events) const;
  [[nodiscard]] GuardEvent event(GuardEvent::Kind kind, const Channel& channel) const;

  const GuardSetup& setup_;
  const int index_;
  std::map<Channel, Guarded> channels_;
  std::deque<Run> runs_;
  std::size_t waiting_bytes_ = 0, n_runs_ = 0;
  std::string error_;  // of what came: it cannot be judged
  bool has_ended_ = false, is_over_ = false;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_GUARDED_CHOICE_HPP

// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_PROXIED_CHAT_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_PROXIED_CHAT_HPP

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "server/doors/proxy/answer_out.hpp"
#include "server/doors/proxy/guarded_answer.hpp"
#include "server/doors/proxy/request_in.hpp"
#include "server/doors/proxy/upstream.hpp"
#include "server/doors/proxy/upstream_reply.hpp"
#include "server/replies.hpp"
#include "server/services.hpp"

namespace qwen3guard::server {

/// One chat completion by the upstream: its prompt is judged, then asked; what is answered goes to a
/// GuardedAnswer, and what that lets out goes to the client. With monitor_only what is answered goes to the
/// client at once, and is judged beside. Whoever made it keeps it until it is done. Loop thread only.
class ProxiedChat : public std::enable_shared_from_this<ProxiedChat> {
 public:
  /// Called once, when nothing more will happen: the chat may be let go of.
  using Done = std::function<void(const std::shared_ptr<ProxiedChat>&)>;

  ProxiedChat(Services& services, Upstream& upstream, std::shared_ptr<Exchange> exchange, ChatRequest request,
              Done done);
  ~ProxiedChat();
  ProxiedChat(const ProxiedChat&) = delete;
  ProxiedChat& operator=(const ProxiedChat&) = delete;

  /// asked: nothing when it cannot be judged, which is for monitor_only.
  void start(std::optional<ChatMessages> asked);

 private:
  // What the guard says.
  void take(const GuardEvents& events);
  void take(const GuardEvent& event);
  void block_prompt(const GuardEvent& event);
  void block_choice(const GuardEvent& event);
  void fail_unjudged(const GuardEvent& event);
  void record(const GuardEvent& event);

  // What the upstream says.
  void ask_upstream();
  void take_piece(AnswerPiece piece);
  void show_at_once(const ChoicePiece& piece);
  void end_reply();
  void take_error();

  void look_at_room();
  [[nodiscard]] bool has_room();
  void end_if_over();
  void fail(const ApiError& error);
  void finish();
  /// Calls change(); what it throws becomes the reply.
  template <class Change>
  void safely(const Change& change);

  Services& services_;
  Upstream& upstream_;
  ServedModel& model_;
  std::shared_ptr<Exchange> exchange_;
  const ChatRequest request_;
  Done done_;
  const bool is_monitor_;
  std::unique_ptr<AnswerOut> out_;
  std::shared_ptr<GuardedAnswer> guard_;
  std::shared_ptr<ClientCall> call_;
  UpstreamReply reply_;
  AnswerHead head_;
  std::string usage_json_;
  std::map<int, std::string> reasons_;  // of the choices that have begun; "": it goes on
  std::set<int> over_;                  // choices
  bool has_head_ = false, has_blocked_ = false, is_whole_ = false, is_answered_ = false, is_done_ = false,
       is_paused_ = false, awaits_drain_ = false, has_call_ended_ = false;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_PROXIED_CHAT_HPP

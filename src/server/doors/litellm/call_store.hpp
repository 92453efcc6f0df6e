// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_CALL_STORE_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_CALL_STORE_HPP

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "server/doors/litellm/guarded_call.hpp"

namespace qwen3guard::server {

/// Whose call it is. A client of the gateway may choose the id of its calls: it is to reach no other's.
struct CallKey {
  std::string key_name;  ///< ours, which the gateway shows
  std::string user;      ///< whom the gateway answers
  std::string call_id;
  [[nodiscard]] friend bool operator<(const CallKey& a, const CallKey& b) {
    return std::tie(a.key_name, a.user, a.call_id) < std::tie(b.key_name, b.user, b.call_id);
  }
};

/// Bounds of a CallStore.
struct CallLimits {
  std::size_t max_calls = 16384;                  ///< remembered
  std::size_t max_bytes = std::size_t{64} << 20;  ///< remembered, with all that a call costs
  std::size_t max_sessions = 2048;                ///< calls that hold sessions
  std::chrono::steady_clock::duration timeout{std::chrono::seconds(300)};  ///< of what is remembered
  /// Sessions of a call that nothing was asked of for as long are let go of; they can be made anew.
  std::chrono::steady_clock::duration rest{std::chrono::seconds(15)};
};

/// What the gateway's calls have asked, and who judges their answers. What is remembered of a call costs the
/// bytes of its conversation; its sessions cost far more, and are given up sooner. Loop thread only.
class CallStore {
 public:
  using Clock = std::chrono::steady_clock;

  struct Call {
    std::shared_ptr<const ChatMessages> asked;  ///< null: not known
    std::shared_ptr<GuardedCall> sessions;      ///< null: none
    Clock::time_point used;
    std::size_t n_steps = 0;   ///< under way; it is not forgotten then
    bool is_answered = false;  ///< an answer has begun
    // For the record: who asked last, and the answers that may go on. @{
    std::string request_id, key_name;
    std::vector<SaidAnswer> said;  // @}
    // The store's. @{
    std::size_t n_key_bytes = 0, n_bytes = 0;  // @}
  };

  /// close: a call's sessions. record: what was said, as nothing more is expected.
  CallStore(const CallLimits& limits, std::function<void(Call&)> close, std::function<void(Call&)> record)
      : limits_(limits), close_(std::move(close)), record_(std::move(record)) {}

  /// Null: there is none.
  [[nodiscard]] Call* find(const CallKey& key);
  /// The call, a new one where there is none; others that rest are forgotten for it. Null when there is no
  /// room, as none rests.
  [[nodiscard]] Call* open(const CallKey& key, Clock::time_point now);
  /// Sessions for the call, in the place of those that it has.
  void give(Call& call, std::shared_ptr<GuardedCall> sessions);
  void remember(Call& call, std::shared_ptr<const ChatMessages> asked);
  void say(Call& call, std::vector<SaidAnswer> said);
  /// Room for one more call with sessions: false when there is none, as all are at work.
  [[nodiscard]] bool make_room_for_sessions();
  /// Lets go of the sessions that were used least lately and are not at work. False: there are none.
  bool let_go_of_one();
  /// Unless it is at work.
  void forget(const CallKey& key);
  /// Ends and forgets what was not used for too long.
  void sweep(Clock::time_point now);
  /// Lets go of the call's sessions, and has recorded what was said.
  void end(Call& call);
  /// All that are not at work.
  void end_all();

  [[nodiscard]] std::size_t n_calls() const noexcept { return calls_.size(); }
  [[nodiscard]] std::size_t n_with_sessions() const noexcept { return n_with_sessions_; }

 private:
  using Calls = std::map<CallKey, Call>;
  Calls::iterator erase(Calls::iterator call);
  void let_go(Call& call);
  void recount(Call& call);
  [[nodiscard]] bool forget_one(Clock::time_point now);

  const CallLimits limits_;
  const std::function<void(Call&)> close_, record_;
  Calls calls_;
  std::size_t n_bytes_ = 0, n_with_sessions_ = 0;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_CALL_STORE_HPP

// SPDX-License-Identifier: Apache-2.0
#include "server/doors/litellm/call_store.hpp"

#include <utility>

namespace qwen3guard::server {

CallStore::Call* CallStore::find(const CallKey& key) {
  const auto found = calls_.find(key);
  return found == calls_.end() ? nullptr : &found->second;
}

CallStore::Call* CallStore::open(const CallKey& key, Clock::time_point now) {
  Call* call = find(key);
  const bool is_new = call == nullptr;
  while (is_new && (calls_.size() >= limits_.max_calls || n_asked_bytes_ >= limits_.max_asked_bytes)) {
    if (!forget_one(now)) return nullptr;
  }
  if (is_new) call = &calls_[key];
  call->used = now;
  return call;
}

void CallStore::give(Call& call, std::shared_ptr<GuardedCall> sessions) {
  let_go(call);
  call.sessions = std::move(sessions);
  ++n_with_sessions_;
}

void CallStore::remember(Call& call, std::shared_ptr<const ChatMessages> asked) {
  n_asked_bytes_ -= std::exchange(call.n_bytes, 0);
  for (const Message& message : asked->messages) call.n_bytes += message.content.size();
  n_asked_bytes_ += call.n_bytes;
  call.asked = std::move(asked);
}

bool CallStore::forget_one(Clock::time_point now) {
  auto oldest = calls_.end();
  for (auto i = calls_.begin(); i != calls_.end(); ++i) {
    const Call& call = i->second;
    if (call.n_steps > 0 || !call.is_answered || now - call.used < limits_.rest) continue;
    if (oldest == calls_.end() || call.used < oldest->second.used) oldest = i;
  }
  if (oldest == calls_.end()) return false;
  erase(oldest);
  return true;
}

bool CallStore::make_room_for_sessions() {
  return n_with_sessions() < limits_.max_sessions || let_go_of_one();
}

bool CallStore::let_go_of_one() {
  Call* oldest = nullptr;
  for (auto& [key, call] : calls_) {
    if (call.n_steps > 0 || !call.sessions) continue;
    if (oldest == nullptr || call.used < oldest->used) oldest = &call;
  }
  if (oldest == nullptr) return false;
  let_go(*oldest);
  return true;
}

void CallStore::forget(const CallKey& key) {
  const auto found = calls_.find(key);
  if (found != calls_.end()) erase(found);
}

void CallStore::sweep(Clock::time_point now) {
  for (auto i = calls_.begin(); i != calls_.end();) {
    Call& call = i->second;
    const auto idle = now - call.used;
    if (call.n_steps == 0 && idle > limits_.timeout) {
      i = erase(i);
      continue;
    }
    if (call.n_steps == 0 && idle > limits_.rest) let_go(call);
    ++i;
  }
}

void CallStore::let_go_of_all() {
  for (auto& [key, call] : calls_) {
    if (call.n_steps == 0) let_go(call);
  }
}

CallStore::Calls::iterator CallStore::erase(Calls::iterator call) {
  let_go(call->second);
  n_asked_bytes_ -= call->second.n_bytes;
  return calls_.erase(call);
}

void CallStore::let_go(Call& call) {
  if (!call.sessions) return;
  --n_with_sessions_;
  let_go_(call);
  call.sessions = nullptr;
  call.said.clear();
}

}  // namespace qwen3guard::server

// SPDX-License-Identifier: Apache-2.0
#include "server/doors/litellm/call_store.hpp"

#include <utility>

namespace qwen3guard::server {
namespace {

/// Of a node of the map, and of what the allocator adds to each piece: an estimate, so that a call without a
/// word costs something, too.
constexpr std::size_t kNodeBytes = 128;

std::size_t bytes_of(const CallKey& key) {
  return kNodeBytes + sizeof(CallKey) + sizeof(CallStore::Call) + key.key_name.size() + key.user.size() +
         key.call_id.size();
}

std::size_t bytes_of(const ChatMessages& asked) {
  std::size_t n = sizeof(ChatMessages);
  for (const Message& message : asked.messages) n += sizeof(Message) + message.content.size();
  return n;
}

std::size_t bytes_of(const std::vector<SaidAnswer>& said) {
  std::size_t n = 0;
  for (const SaidAnswer& answer : said) n += sizeof(SaidAnswer) + answer.text.size();
  return n;
}

bool is_same_owner(const CallKey& a, const CallKey& b) {
  return a.key_name == b.key_name && a.user == b.user;
}

}  // namespace

CallStore::Call* CallStore::find(const CallKey& key) {
  const auto found = calls_.find(key);
  return found == calls_.end() ? nullptr : &found->second;
}

CallStore::Call* CallStore::open(const CallKey& key, Clock::time_point now) {
  Call* call = find(key);
  const bool is_new = call == nullptr;
  while (is_new && (calls_.size() >= limits_.max_calls || n_bytes_ >= limits_.max_bytes)) {
    if (!forget_one(now)) return nullptr;
  }
  if (is_new) {
    call = &calls_[key];
    call->n_key_bytes = bytes_of(key);
    recount(*call);
  }
  call->used = now;
  return call;
}

void CallStore::give(Call& call, std::shared_ptr<GuardedCall> sessions) {
  let_go(call);
  call.sessions = std::move(sessions);
  ++n_with_sessions_;
}

void CallStore::remember(Call& call, std::shared_ptr<const ChatMessages> asked) {
  call.asked = std::move(asked);
  recount(call);
}

void CallStore::say(Call& call, std::vector<SaidAnswer> said) {
  call.said = std::move(said);
  recount(call);
}

void CallStore::recount(Call& call) {
  n_bytes_ -= call.n_bytes;
  call.n_bytes = call.n_key_bytes + (call.asked ? bytes_of(*call.asked) : 0) + bytes_of(call.said);
  n_bytes_ += call.n_bytes;
}

/// What has been answered goes first. Of what waits for its answer, the oldest of whoever holds the most, so
/// that nobody's requests make the gateway forget everybody else's. The calls of one stand together.
bool CallStore::forget_one(Clock::time_point now) {
  auto answered = calls_.end(), waiting = calls_.end();
  std::size_t n_most = 0;
  for (auto i = calls_.begin(); i != calls_.end();) {
    const CallKey& owner = i->first;
    auto own = calls_.end();
    std::size_t n_bytes = 0;
    for (; i != calls_.end() && is_same_owner(i->first, owner); ++i) {
      const Call& call = i->second;
      n_bytes += call.n_bytes;
      if (call.n_steps > 0 || now - call.used < limits_.rest) continue;
      auto& oldest = call.is_answered ? answered : own;
      if (oldest == calls_.end() || call.used < oldest->second.used) oldest = i;
    }
    if (own != calls_.end() && n_bytes > n_most) {
      n_most = n_bytes;
      waiting = own;
    }
  }
  const auto gone = answered != calls_.end() ? answered : waiting;
  if (gone == calls_.end()) return false;
  erase(gone);
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
  if (found != calls_.end() && found->second.n_steps == 0) erase(found);
}

void CallStore::sweep(Clock::time_point now) {
  for (auto i = calls_.begin(); i != calls_.end();) {
    Call& call = i->second;
    const auto idle = now - call.used;
    if (call.n_steps == 0 && idle > limits_.timeout) {
      i = erase(i);
      continue;
    }
    if (call.n_steps == 0 && idle > limits_.rest) end(call);
    ++i;
  }
}

void CallStore::end_all() {
  for (auto& [key, call] : calls_) {
    if (call.n_steps == 0) end(call);
  }
}

CallStore::Calls::iterator CallStore::erase(Calls::iterator call) {
  end(call->second);
  n_bytes_ -= call->second.n_bytes;
  return calls_.erase(call);
}

/// What throws leaves the sessions where they are, and counted.
void CallStore::let_go(Call& call) {
  if (!call.sessions) return;
  close_(call);
  call.sessions = nullptr;
  --n_with_sessions_;
}

void CallStore::end(Call& call) {
  let_go(call);
  if (call.said.empty()) return;
  record_(call);
  say(call, {});
}

}  // namespace qwen3guard::server

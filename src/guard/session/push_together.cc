// SPDX-License-Identifier: Apache-2.0
#include "guard/session/push_together.hpp"

#include <string>
#include <unordered_set>
#include <vector>

#include "guard/session/head_stream.hpp"
#include "util/error.hpp"
#include "util/guarded.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

Status check_push(const Guard::Impl& guard, const StreamPush& push, StreamSession::Impl* session) {
  if (session == nullptr || session->heads() == nullptr ||
      session->heads()->guard().model_ptr() != guard.model_ptr()) {
    return Error{ErrorCode::invalid_argument,
                 "stream: the session is not one of this guard's that judges every token"};
  }
  if (push.out.size() < push.ids.size()) {
    return error(ErrorCode::invalid_argument, "stream: room for ", push.out.size(),
                 " verdicts, expected at least ", push.ids.size());
  }
  return {};
}

}  // namespace

void push_together(const Guard::Impl& guard, std::span<StreamPush> pushes,
                   std::span<StreamSession::Impl* const> sessions) {
  std::vector<HeadStream::Feed> feeds;
  std::vector<StreamPush*> running;
  std::unordered_set<const StreamSession::Impl*> seen;
  feeds.reserve(pushes.size());
  running.reserve(pushes.size());
  seen.reserve(pushes.size());
  for (std::size_t i = 0; i < pushes.size(); ++i) {
    StreamPush& push = pushes[i];
    push.status = guarded("stream", [&]() -> Status {
      Q3G_TRY(check_push(guard, push, sessions[i]));
      if (!seen.insert(sessions[i]).second)
        return Error{ErrorCode::invalid_argument, "stream: the session is in the batch twice"};
      Q3G_ASSIGN(HeadStream::Feed feed, sessions[i]->heads()->plan_tokens(push.ids));
      feeds.push_back(std::move(feed));
      running.push_back(&push);
      return {};
    });
  }
  HeadStream::run_feeds(guard, feeds);
  for (std::size_t i = 0; i < feeds.size(); ++i) {
    HeadStream& session = *feeds[i].session;
    StreamPush& push = *running[i];
    push.status = feeds[i].status;
    if (!push.status.ok()) {
      session.abandon(feeds[i]);
      continue;
    }
    push.status = guarded("stream", [&]() -> Status {
      session.report(session.commit(feeds[i]), push.ids, push.out);
      return {};
    });
  }
}

}  // namespace qwen3guard::detail

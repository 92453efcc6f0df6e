// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_GUARD_EVENT_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_GUARD_EVENT_HPP

#include <cstddef>
#include <string>
#include <vector>

#include "qwen3guard/status.hpp"
#include "qwen3guard/verdict.hpp"
#include "server/doors/proxy/answer_parts.hpp"

namespace qwen3guard::server {

/// What a GuardedAnswer reports to the loop. A plain value.
struct GuardEvent {
  enum class Kind {
    prompt_passed,  ///< the upstream may be asked
    prompt_blocked,
    text,      ///< may be shown: `text` of `channel`
    call,      ///< may be shown: a call begins, with `call_id` and the name `text`
    finished,  ///< all of the choice was shown
    blocked,   ///< nothing more of the choice will be
    judged,    ///< for metrics and the audit log: `text` was judged, and came to `decision`
    unjudged,  ///< the same, for what was not: `error` says why
    failed,    ///< nothing more of any choice will be shown: `error`
  };
  Kind kind = Kind::failed;
  int choice = 0;
  Channel channel;
  bool is_prompt = false;   ///< of judged, unjudged and failed
  bool is_blocked = false;  ///< of judged
  std::string text, call_id;
  Severity severity = Severity::not_judged;
  Ruling ruling;
  Error error;
  double seconds = -1;        ///< judged: how long it took; below 0: not known
  std::int32_t n_tokens = 0;  ///< judged: of a prompt, with what stands before it
};

using GuardEvents = std::vector<GuardEvent>;

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_GUARD_EVENT_HPP

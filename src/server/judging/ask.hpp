// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_JUDGING_ASK_HPP
#define QWEN3GUARD_SRC_SERVER_JUDGING_ASK_HPP

#include <functional>
#include <memory>
#include <vector>

#include "server/http/exchange.hpp"
#include "server/services.hpp"

namespace qwen3guard::server {

/// What a door wants to know.
struct Question {
  Route route = Route::moderations;
  ServedModel* model = nullptr;
  std::vector<std::vector<Message>> conversations;  ///< of each the last message
  std::shared_ptr<const ClassifyOptions> options;   ///< the route's
  bool is_private = false;  ///< the texts are in no log, whatever the operator asked for
};

/// A verdict that is there, of something that was judged; or an error. Nothing else comes out of ask().
using Answers = std::vector<Result<Verdict>>;

/// Has the conversations judged for a client, and counts and audits what comes of it. `then` is called on the
/// loop with an answer for each; not at all when there is no room for them (the exchange is answered with
/// 429) or the client goes away. A verdict that says that nothing was judged comes as an error.
void ask(Services& services, const std::shared_ptr<Exchange>& exchange, Question question,
         std::function<void(Answers)> then);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_JUDGING_ASK_HPP

// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_POSTED_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_POSTED_HPP

#include <functional>
#include <memory>
#include <tuple>
#include <utility>

#include "server/http/loop.hpp"

namespace qwen3guard::server {

/// A function to give to other threads. Called there, it has the loop call `task` with the arguments. However
/// its copies end, and on whatever thread, `task` is destroyed on the loop: it may hold exchanges and other
/// things that belong there. The loop must live longer.
template <class... Args, class Task>
[[nodiscard]] std::function<void(Args...)> posted(Loop& loop, Task task) {
  const std::shared_ptr<Task> held(
      new Task(std::move(task)), [&loop](Task* gone) { loop.post([last = std::shared_ptr<Task>(gone)] {}); });
  return [&loop, held](Args... args) {
    auto values = std::make_shared<std::tuple<std::decay_t<Args>...>>(std::move(args)...);
    loop.post([held, values] { std::apply(*held, std::move(*values)); });
  };
}

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_POSTED_HPP

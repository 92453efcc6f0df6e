// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_LOOP_IMPL_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_LOOP_IMPL_HPP

#include "server/http/asio.hpp"
#include "server/http/loop.hpp"

namespace qwen3guard::server {

class Loop::Impl {
 public:
  boost::asio::io_context io{1};  // one thread runs it
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_LOOP_IMPL_HPP

// SPDX-License-Identifier: Apache-2.0
#include "server/http/loop.hpp"

#include <utility>

#include "server/http/loop_impl.hpp"

namespace qwen3guard::server {
namespace {

namespace asio = boost::asio;

/// The callback is held apart from the timer: asio keeps the handler until the cancelled wait comes round.
class LoopTimer : public Loop::Timer {
 public:
  LoopTimer(asio::io_context& io, std::chrono::milliseconds delay, std::function<void()> task)
      : timer_(io, delay), task_(std::make_shared<std::function<void()>>(std::move(task))) {
    timer_.async_wait([weak = std::weak_ptr(task_)](const boost::system::error_code& error) {
      const auto held = weak.lock();
      if (!error && held) (*held)();
    });
  }

 private:
  asio::steady_timer timer_;
  std::shared_ptr<std::function<void()>> task_;
};

/// Waits for the signal again and again, as long as the loop runs.
void await_signal(const std::shared_ptr<asio::signal_set>& signals,
                  const std::shared_ptr<std::function<void()>>& task) {
  signals->async_wait([signals, task](const boost::system::error_code& error, int) {
    if (error) return;
    (*task)();
    await_signal(signals, task);
  });
}

}  // namespace

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

void Loop::run() { impl_->io.run(); }
void Loop::drain() {
  impl_->io.restart();
  impl_->io.poll();
}
void Loop::stop() { impl_->io.stop(); }
void Loop::post(std::function<void()> task) { asio::post(impl_->io, std::move(task)); }

std::unique_ptr<Loop::Timer> Loop::after(std::chrono::milliseconds delay, std::function<void()> task) {
  return std::make_unique<LoopTimer>(impl_->io, delay, std::move(task));
}

void Loop::on_signal(int number, std::function<void()> task) {
  await_signal(std::make_shared<asio::signal_set>(impl_->io, number),
               std::make_shared<std::function<void()>>(std::move(task)));
}

}  // namespace qwen3guard::server

// SPDX-License-Identifier: Apache-2.0
#include "worker.hpp"

#include <string>
#include <string_view>
#include <utility>

#include "stream_client.hpp"
#include "texts.hpp"

namespace load {
namespace {

/// How long what was begun may still take when the time is over; in seconds.
constexpr int kPatience_s = 10;
/// Where nothing works it is not tried without end.
constexpr std::size_t kMaxErrors = 1000;

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

class ClosedLoop {
 public:
  ClosedLoop(boost::asio::io_context& io, Workers workers, double seconds)
      : io_(io),
        workers_(std::move(workers)),
        begin_(after(seconds / 5)),
        end_(after(seconds)),
        n_busy_(workers_.size()) {}

  Rate run() {
    for (const auto& worker : workers_) begin(*worker);
    run_until(
        io_, [this] { return n_busy_ == 0; }, end_ + std::chrono::seconds(kPatience_s));
    rate_.n_errors += n_busy_;
    rate_.seconds = ms_between(begin_, end_) / 1000;
    return std::move(rate_);
  }

 private:
  void begin(Worker& worker) {
    worker.next([this, &worker](Worker::Outcome outcome) {
      const auto now = Clock::now();
      count(outcome, now);
      if (now >= end_ || rate_.n_errors >= kMaxErrors) {
        --n_busy_;
      } else {  // not from within the reply that has just been read
        boost::asio::post(io_, [this, &worker] { begin(worker); });
      }
    });
  }

  void count(const Worker::Outcome& outcome, Clock::time_point now) {
    if (!outcome.is_ok) {
      ++rate_.n_errors;
    } else if (now >= begin_ && now < end_) {
      ++rate_.n;
      rate_.ms.push_back(outcome.ms);
      if (outcome.first_ms >= 0) rate_.first_ms.push_back(outcome.first_ms);
    }
  }

  boost::asio::io_context& io_;
  Workers workers_;
  const Clock::time_point begin_, end_;
  Rate rate_;
  std::size_t n_busy_;
};

class Poster final : public Worker {
 public:
  Poster(boost::asio::io_context& io, const Target& target, std::string path, MakeBody body)
      : target_(target),
        client_(std::make_shared<Client>(io, target)),
        path_(std::move(path)),
        body_(std::move(body)) {}
  ~Poster() override { client_->close(); }

  void next(Done done) override {
    std::string request = target_.request("POST", path_, body_(number_++));
    const auto begin = Clock::now();
    const auto first_ms = std::make_shared<double>(-1);
    const auto finish = [begin, first_ms, done = std::move(done)](bool is_whole, Reply& reply) {
      done({is_whole && reply.status == 200, ms_since(begin), *first_ms});
    };
    if (!is_streamed()) return client_->send(std::move(request), finish);
    client_->send(std::move(request), finish, [begin, first_ms](std::string_view piece) {
      if (!piece.empty() && *first_ms < 0) *first_ms = ms_since(begin);
    });
  }

 private:
  [[nodiscard]] bool is_streamed() const { return body_(0).find("\"stream\":true") != std::string::npos; }

  const Target& target_;
  std::shared_ptr<Client> client_;
  std::string path_;
  MakeBody body_;
  std::size_t number_ = 0;
};

class Streamer final : public Worker {
 public:
  Streamer(boost::asio::io_context& io, const Target& target, std::size_t first_number)
      : io_(io), target_(target), number_(first_number) {}

  void next(Done done) override {
    done_ = std::move(done);
    if (stream_ != nullptr) return push();
    pieces_ = answer_pieces(number_);
    n_pushed_ = 0;
    stream_ = std::make_unique<StreamClient>(io_, target_);
    stream_->open(
        prompt_text(number_), [this](std::string_view name, std::string_view) { on_event(name); },
        [this](bool is_ok) {
          if (!is_ok) return fail();
          // Not from within the head of the events.
          boost::asio::post(io_, [this, alive = std::weak_ptr<int>(alive_)] {
            if (!alive.expired()) push();
          });
        });
    number_ += 1000;
  }

 private:
  void push() {
    has_event_ = has_reply_ = false;
    is_pushing_ = true;
    begin_ = Clock::now();
    const std::string& piece = pieces_[n_pushed_++];
    stream_->push(piece, n_pushed_ == pieces_.size(), [this](bool is_ok) {
      if (!is_ok) return fail();
      has_reply_ = true;
      finish_piece();
    });
  }

  void on_event(std::string_view name) {
    if (!is_pushing_ || has_event_ || (name != "update" && name != "turn_end")) return;
    has_event_ = true;
    ms_ = ms_since(begin_);
    finish_piece();
  }

  void finish_piece() {
    if (!is_pushing_ || !has_event_ || !has_reply_) return;
    is_pushing_ = false;
    if (n_pushed_ < pieces_.size()) return done({true, ms_});
    stream_->remove([this](bool is_ok) {
      // The stream is not destroyed within its own callback.
      boost::asio::post(io_, [this, is_ok, alive = std::weak_ptr<int>(alive_)] {
        if (alive.expired()) return;
        stream_ = nullptr;
        done({is_ok, ms_});
      });
    });
  }

  void fail() {
    is_pushing_ = false;
    boost::asio::post(io_, [this, alive = std::weak_ptr<int>(alive_)] {
      if (alive.expired()) return;
      stream_ = nullptr;
      done({});
    });
  }

  void done(Outcome outcome) {
    if (const Done once = std::exchange(done_, nullptr)) once(outcome);
  }

  boost::asio::io_context& io_;
  const Target& target_;
  std::size_t number_;
  std::vector<std::string> pieces_;
  std::size_t n_pushed_ = 0;
  std::unique_ptr<StreamClient> stream_;
  Done done_;
  Clock::time_point begin_;
  double ms_ = 0;
  bool is_pushing_ = false, has_event_ = false, has_reply_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace

Rate closed_loop(boost::asio::io_context& io, Workers workers, double seconds) {
  return ClosedLoop(io, std::move(workers), seconds).run();
}

std::unique_ptr<Worker> make_poster(boost::asio::io_context& io, const Target& target, std::string path,
                                    MakeBody body) {
  return std::make_unique<Poster>(io, target, std::move(path), std::move(body));
}

std::unique_ptr<Worker> make_streamer(boost::asio::io_context& io, const Target& target,
                                      std::size_t first_number) {
  return std::make_unique<Streamer>(io, target, first_number);
}

}  // namespace load

// SPDX-License-Identifier: Apache-2.0
// A long run with everything that hosts do, at random: soak [TOKENS [SEED]]
//
// Thousands of sessions come and go on nano-stream, in a batch and on their own, with prompts, text in
// pieces, ends of turns, rewinds, forks and slides. Every now and then one is compared with a fresh one.
// Fails when a verdict differs or when memory grows: after three tenths, when as many sessions live as ever
// will, resident memory may not rise by more than 10 percent.
#include <fstream>
#include <random>

#include "streams_common.hpp"

namespace {

using namespace qwen3guard;

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

class Soak {
 public:
  Soak(std::uint64_t n_tokens, std::uint32_t seed)
      : n_tokens_(n_tokens),
        random_(seed),
        guard_(Guard::load_embedded("nano-stream").value()),
        batch_(StreamBatch::open(guard_, batch_options()).value()) {}

  int run() {
    const auto start = streams::Clock::now();
    double first_bytes = 0, most_bytes = 0;
    std::uint64_t next_report = n_tokens_ / 10;
    while (n_judged() < n_tokens_) {
      for (int i = 0; i < 50; ++i) one_thing();
      batch_.step(20);
      for (Live& live : lives_) take(live);
      if (n_judged() < next_report) continue;
      next_report += n_tokens_ / 10;
      const auto bytes = static_cast<double>(resident_bytes());
      if (first_bytes <= 0 && n_judged() >= 3 * (n_tokens_ / 10)) first_bytes = bytes;
      most_bytes = std::max(most_bytes, bytes);
      std::printf("%9llu tokens, %6zu sessions so far, %6.1f MiB resident, %6zu compared, %.0f s\n",
                  static_cast<unsigned long long>(n_judged()), n_sessions_, bytes / (1 << 20), n_compared_,
                  streams::ms_since(start) / 1000);
      std::fflush(stdout);
    }
    const bool is_flat = most_bytes <= 1.1 * first_bytes;
    std::printf("%s: memory rose by %.1f %%, %zu of %zu compared sessions differ\n",
                is_flat && n_different_ == 0 ? "passed" : "FAILED", 100 * (most_bytes / first_bytes - 1),
                n_different_, n_compared_);
    return is_flat && n_different_ == 0 ? 0 : 1;
  }

 private:
  struct Live {
    StreamId id = 0;
    std::string text;  // of the open turn
    std::uint64_t n_things = 0;
    bool slid = false;
  };

  static StreamBatchOptions batch_options() {
    StreamBatchOptions options;
    options.memory_budget_bytes = std::size_t{400} << 20;
    return options;
  }
  static StreamOptions session_options() {
    StreamOptions options;
    options.context = ContextPolicy::slide;
    options.max_tokens = 512;
    options.invalid_utf8 = InvalidUtf8::replace;  // a rewind can end inside a character
    return options;
  }

  std::uint64_t n_judged() const { return batch_.stats().n_tokens + n_own_; }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  std::string words(std::size_t n) {
    static const std::string kText = streams::prose(3000) +
                                     " \xC2\xBF"
                                     "Qu\xC3\xA9 tal? \xE4\xBD\xA0\xE5\xA5\xBD 12,345 you idiot!\n\n";
    std::size_t begin = below(kText.size());
    while (begin > 0 && (static_cast<unsigned char>(kText[begin]) & 0xC0) == 0x80) --begin;
    std::string out = kText.substr(begin, n);
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0x80) != 0) out.pop_back();
    return out + " ";
  }

  void add() {
    Live live;
    const auto id = batch_.add(session_options());
    if (!id.ok()) return;
    live.id = *id;
    if (!batch_.push_prompt(live.id, words(40)).ok()) return static_cast<void>(batch_.remove(live.id));
    lives_.push_back(live);
    ++n_sessions_;
  }

  void one_thing() {
    if (lives_.size() < 200) add();
    if (lives_.empty()) return;
    const std::size_t i = below(lives_.size());
    Live& live = lives_[i];
    ++live.n_things;
    switch (below(12)) {
      case 0:
        if (live.n_things > 20) {
          batch_.remove(live.id).throw_if_error();
          lives_[i] = lives_.back();
          lives_.pop_back();
        }
        break;
      case 1:
        if (batch_.end_turn(live.id).ok() && !batch_.push_prompt(live.id, words(60)).ok()) {
          batch_.remove(live.id).throw_if_error();
          lives_[i] = lives_.back();
          lives_.pop_back();
        } else {
          live.text.clear();
        }
        break;
      case 2:
        rewind(live);
        break;
      case 3:
        if (below(8) == 0) compare();
        break;
      default: {
        const std::string more = words(1 + below(40));
        if (batch_.push_text(live.id, more).ok()) live.text += more;
      }
    }
  }

  void rewind(Live& live) {
    batch_
        .visit(live.id,
               [&](StreamSession& session) {
                 const std::int64_t n = session.turn_bytes();
                 const std::int64_t back = static_cast<std::int64_t>(below(60));
                 if (n > back) static_cast<void>(session.rewind_to_byte(n - back).ok());
                 const auto fork = session.fork();
                 fork.throw_if_error();
               })
        .throw_if_error();
  }

  /// A session of its own, in pieces, with a rewind and a fork, against a fresh one.
  void compare() {
    StreamSession session = guard_.open_stream().value(), fresh = guard_.open_stream().value();
    const std::string prompt = words(50), text = words(300 + below(600)), noise = words(80);
    session.push_prompt(prompt).throw_if_error();
    fresh.push_prompt(prompt).throw_if_error();
    fresh.push_text(text).throw_if_error();
    for (std::size_t pos = 0; pos < text.size();) {
      const std::size_t n = std::min(1 + below(40), text.size() - pos);
      session.push_text(std::string_view(text).substr(pos, n)).throw_if_error();
      pos += n;
      if (below(10) == 0) {
        const StreamMark mark = session.mark();
        session.push_text("").throw_if_error();
        const bool is_whole = (static_cast<unsigned char>(text[pos - 1]) & 0x80) == 0;
        if (is_whole) session.push_text(noise).throw_if_error();
        session.rewind(mark).throw_if_error();
        session = session.fork().value();
      }
    }
    const auto a = session.verdicts(), b = fresh.verdicts();
    bool same = a.size() == b.size();
    for (std::size_t i = 0; same && i < a.size(); ++i)
      same = a[i].id == b[i].id && std::abs(a[i].probabilities.safe - b[i].probabilities.safe) < 1e-4F;
    n_own_ += 2 * a.size();
    ++n_compared_;
    if (!same) ++n_different_;
  }

  void take(Live& live) {
    for (const StreamEvent& event : batch_.poll(live.id).value()) {
      if (event.kind != StreamEvent::Kind::error) continue;
      std::fprintf(stderr, "%s\n", event.status.error().detail.c_str());
      ++n_different_;
    }
  }

  const std::uint64_t n_tokens_;
  std::mt19937 random_;
  Guard guard_;
  StreamBatch batch_;
  std::vector<Live> lives_;
  std::size_t n_sessions_ = 0, n_compared_ = 0, n_different_ = 0;
  std::uint64_t n_own_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::uint64_t n_tokens = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000000;
    const auto seed = static_cast<std::uint32_t>(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1);
    std::printf("seed %u\n", seed);
    return Soak(std::max<std::uint64_t>(n_tokens, 10), seed).run();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}

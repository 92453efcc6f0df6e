// SPDX-License-Identifier: Apache-2.0
// What a HoldBack lets out, with a script in the place of a model: any split, timing, verdicts and errors.
#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "guard/hold_back/hold_back_impl.hpp"
#include "iterations.hpp"
#include "q3g_catch.hpp"

using namespace qwen3guard;

namespace {

class TestTime final : public detail::TimeSource {
 public:
  [[nodiscard]] TimePoint now() const noexcept override {
    return TimePoint(
        std::chrono::duration_cast<TimePoint::duration>(std::chrono::duration<double, std::milli>(now_ms)));
  }
  double now_ms = 1000;
};

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }
/// The largest place of `text` up to n that is not within a character.
std::size_t whole(std::string_view text, std::size_t n) {
  std::size_t begin = n;
  while (begin > 0 && n - begin < 3 && is_continuation(text[begin - 1])) --begin;
  if (begin == 0) return n;
  const auto lead = static_cast<unsigned char>(text[begin - 1]);
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  return n - (begin - 1) < length ? begin - 1 : n;
}

struct Script {
  std::size_t interval = 0;   // as a Gen checkpoint: verdicts at every n-th token only; 0: at every token
  bool is_delayed = false;    // as a batch: verdicts come when they are asked for
  bool may_be_lifted = true;  // "bad" is blocked until it becomes "badge"
  std::size_t unjudged_at = std::string::npos;  // as ContextPolicy::stop: judging stops at this byte
  std::size_t fails_at = std::string::npos;     // an error at this byte
};

/// What a text is judged to be, from its beginning: words end in spaces, and the last one may still grow. A
/// word is a token while it may grow, and one for each three bytes then. "bad" is blocked, and so is all
/// behind it.
struct Judged {
  Judged(std::string_view text, const Script& script, bool has_ended) {
    std::int64_t last_verdict_end = 0;
    bool is_blocked = false;
    for (std::size_t begin = 0; begin < text.size();) {
      std::size_t end = text.find(' ', begin);
      const bool is_whole = end != std::string_view::npos;
      end = is_whole ? end + 1 : text.size();
      const bool is_settled = is_whole || has_ended;
      const std::string_view word = text.substr(begin, end - begin - (is_whole ? 1 : 0));
      const std::size_t whole_end = has_ended ? end : whole(text, end);
      const bool is_bad = word == "bad";
      for (std::size_t at = begin; at < whole_end;) {
        std::size_t next = is_settled ? std::min(at + 3, whole_end) : whole_end;
        while (next < whole_end && is_continuation(text[next])) ++next;
        TokenVerdict token;
        token.byte_begin = static_cast<std::int64_t>(at);
        token.byte_end = static_cast<std::int64_t>(next);
        token.is_settled = is_settled;
        token.source = VerdictSource::heads;
        const bool blocks_here = is_bad && (is_settled || script.may_be_lifted);
        if (script.interval == 0) {
          is_blocked = is_blocked || blocks_here;
          token.action = is_blocked ? Action::block : Action::allow;
        } else {
          has_bad = has_bad || (is_bad && is_settled);
          token.source = VerdictSource::carried;
          const bool is_due = is_settled && (tokens.size() + 1) % script.interval == 0;
          if (is_due) {
            token.source = VerdictSource::written;
            is_blocked = has_bad;
            last_verdict_end = token.byte_end;
            if (!is_blocked) allowed_end = token.byte_end;
          }
          token.action = is_blocked ? Action::block : Action::allow;
        }
        n_settled += is_settled ? 1 : 0;
        tokens.push_back(token);
        at = next;
      }
      begin = end;
    }
    const auto n_bytes = static_cast<std::int64_t>(text.size());
    decision.unjudged_begin = tokens.empty() ? 0 : tokens.back().byte_end;
    if (script.interval > 0 && has_ended && !tokens.empty()) {
      tokens.back().source = VerdictSource::written;
      tokens.back().action = has_bad ? Action::block : Action::allow;
      last_verdict_end = n_bytes;
      if (!has_bad) allowed_end = n_bytes;
    }
    if (script.interval > 0) decision.unjudged_begin = last_verdict_end;
    decision.unjudged_begin = static_cast<std::int64_t>(
        std::min(static_cast<std::size_t>(decision.unjudged_begin), script.unjudged_at));
    decision.unjudged_end = n_bytes;
    decision.is_complete = decision.unjudged_begin == n_bytes && !tokens.empty();
    if (decision.is_complete) decision.unjudged_begin = decision.unjudged_end = 0;
    if (tokens.empty()) return;
    const auto first =
        std::find_if(tokens.begin(), tokens.end(), [](const auto& t) { return t.action == Action::block; });
    if (first == tokens.end()) return;
    first_blocked = static_cast<std::size_t>(first - tokens.begin());
    decision.action = decision.ruling.action = Action::block;
    decision.ruling.position = static_cast<std::int32_t>(first_blocked);
    decision.ruling.is_settled = first_blocked < n_settled || has_ended;
    decision.ruling.byte_begin = first->byte_begin;
    decision.ruling.byte_end = first->byte_end;
  }

  /// Nothing beyond may have been shown, whatever the buffer.
  [[nodiscard]] std::int64_t limit(const Script& script, std::size_t n_bytes) const {
    std::int64_t end = n_settled > 0 ? tokens[n_settled - 1].byte_end : 0;
    if (!decision.is_complete) end = std::min(end, decision.unjudged_begin);
    if (first_blocked < tokens.size())
      end = std::min(end, script.interval > 0 ? allowed_end : tokens[first_blocked].byte_begin);
    return std::min(end, static_cast<std::int64_t>(n_bytes));
  }
  /// Settled tokens in front of the first blocked one, and of these how many end by `byte`.
  [[nodiscard]] std::size_t n_newest() const { return std::min(n_settled, first_blocked); }
  [[nodiscard]] std::size_t n_up_to(std::int64_t byte) const {
    std::size_t n = 0;
    while (n < tokens.size() && tokens[n].byte_end <= byte) ++n;
    return n;
  }

  std::vector<TokenVerdict> tokens;
  std::size_t n_settled = 0, first_blocked = std::string::npos;
  std::int64_t allowed_end = 0;  // with an interval: of the last verdict that lets the text pass
  bool has_bad = false;
  Decision decision;
};

class ScriptedSource final : public detail::HoldBackSource {
 public:
  ScriptedSource(const Script& script, std::mt19937& random) : script_(script), random_(random) {}

  [[nodiscard]] Status push(std::string_view bytes, detail::HeldText& held) override {
    if (script_.is_delayed && random_() % 16 == 0) return Error{ErrorCode::budget_exceeded, "full"};
    if (!script_.is_delayed) return judge(bytes, held);
    waiting_.emplace_back(bytes);
    return {};
  }
  [[nodiscard]] Status end_turn(detail::HeldText& held) override {
    if (!script_.is_delayed) return end(held);
    waiting_.emplace_back();
    return {};
  }
  [[nodiscard]] Status poll(double timeout_ms, detail::HeldText& held) override {
    while (!waiting_.empty() && (timeout_ms > 0 || random_() % 3 == 0)) {
      const std::string bytes = waiting_.front();
      waiting_.erase(waiting_.begin());
      Status status = bytes.empty() ? end(held) : judge(bytes, held);
      if (!status.ok()) return status;
    }
    return {};
  }
  [[nodiscard]] Status rewind(std::int64_t byte, detail::HeldText& held) override {
    waiting_.clear();
    judged.resize(std::min(judged.size(), static_cast<std::size_t>(byte)));
    has_ended = false;
    turn_.reset();
    held.rewind(byte, change(), Judged(judged, script_, false).decision);
    return {};
  }

  std::string judged;
  bool has_ended = false;

 private:
  [[nodiscard]] StreamUpdate change() {
    const Judged now(judged, script_, has_ended);
    StreamUpdate update;
    const auto is_same = [](const TokenVerdict& a, const TokenVerdict& b) {
      return a.byte_begin == b.byte_begin && a.byte_end == b.byte_end && a.action == b.action &&
             a.source == b.source;
    };
    while (update.first < std::min(now.tokens.size(), reported_.size()) &&
           is_same(now.tokens[update.first], reported_[update.first]))
      ++update.first;
    update.tokens.assign(now.tokens.begin() + static_cast<std::ptrdiff_t>(update.first), now.tokens.end());
    update.n_settled = now.n_settled;
    reported_ = now.tokens;
    return update;
  }
  [[nodiscard]] Status judge(std::string_view bytes, detail::HeldText& held) {
    if (judged.size() + bytes.size() > script_.fails_at) return Error{ErrorCode::context_full, "full"};
    judged += bytes;
    held.update(change(), Judged(judged, script_, false).decision);
    return {};
  }
  [[nodiscard]] Status end(detail::HeldText& held) {
    has_ended = true;
    turn_.emplace();
    turn_->role = Role::assistant;
    const StreamUpdate update = change();
    turn_->decision = Judged(judged, script_, true).decision;
    held.end(update, turn_->decision);
    return {};
  }

  const Script script_;
  std::mt19937& random_;
  std::vector<std::string> waiting_;
  std::vector<TokenVerdict> reported_;
};

/// A host and a person, and what must be true of them at every time.
class Run {
 public:
  Run(std::uint32_t seed, const Script& script, const HoldBackOptions& options)
      : random_(seed), script_(script), options_(options) {
    auto source = std::make_unique<ScriptedSource>(script, random_);
    source_ = source.get();
    hold_ = HoldBack::Impl::over(std::move(source), options, time_).value();
  }

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
  HoldBack& hold() { return *hold_; }

  void write(std::string_view text) {
    while (!text.empty() && hold_->state() == HoldBackState::writing && !has_failed) {
      const std::string_view piece = text.substr(0, 1 + below(std::min<std::size_t>(text.size(), 9)));
      const Status status = hold_->put(piece);
      time_->now_ms += static_cast<double>(below(40));
      if (status.ok()) {
        written += piece;
        text.remove_prefix(piece.size());
      } else if (status.error().code != ErrorCode::budget_exceeded) {
        has_failed = true;
      }
      if (below(2) == 0) take();
    }
  }

  HoldBackRelease take(double timeout_ms = 0) {
    const std::size_t most = below(3) == 0 ? 4 + below(8) : std::string::npos;
    const Result<HoldBackRelease> result = hold_->take(timeout_ms, most);
    if (!result.ok()) {
      has_failed = true;
      return {};
    }
    shown += result->text;
    check(*result);
    return *result;
  }
  HoldBackRelease take_all() {
    HoldBackRelease last;
    std::string text;
    do {
      last = take(1000);
      text += last.text;
    } while (!has_failed && last.has_more);
    last.text = text;
    return last;
  }

  void check(const HoldBackRelease& out) {
    const HoldBackStats stats = hold_->stats();
    CAPTURE(written, shown, out.text, source_->judged, static_cast<int>(out.state));
    REQUIRE(written.compare(0, shown.size(), shown) == 0);
    if (out.state != HoldBackState::ended) REQUIRE(whole(written, shown.size()) == shown.size());
    REQUIRE(stats.put_bytes - stats.shown_bytes - stats.withdrawn_bytes >= 0);
    if (out.state == HoldBackState::ended || out.state == HoldBackState::withheld)
      REQUIRE(stats.put_bytes == stats.shown_bytes + stats.withdrawn_bytes);
    if (out.text.empty()) return;
    const Judged now(source_->judged, script_, source_->has_ended);
    const auto n_shown = static_cast<std::int64_t>(shown.size());
    REQUIRE(n_shown <= now.limit(script_, source_->judged.size()));
    if (source_->has_ended && now.first_blocked == std::string::npos) return;
    if (options_.release_after_ms > 0) return;
    REQUIRE(now.n_up_to(n_shown) + static_cast<std::size_t>(options_.buffer_tokens) <= now.n_newest());
  }

  std::string written, shown;
  bool has_failed = false;
  const std::shared_ptr<TestTime>& time() const { return time_; }
  ScriptedSource& source() { return *source_; }

 private:
  std::mt19937 random_;
  const Script script_;
  const HoldBackOptions options_;
  const std::shared_ptr<TestTime> time_ = std::make_shared<TestTime>();
  ScriptedSource* source_ = nullptr;
  std::optional<HoldBack> hold_;
};

std::string random_text(std::mt19937& random, std::size_t n_words, bool is_clean) {
  static const std::string kWords[] = {"a ",
                                       "good ",
                                       "text ",
                                       "\xE4\xBD\xA0\xE5\xA5\xBD ",
                                       "\xF0\x9F\x98\x80 ",
                                       "is ",
                                       "badge ",
                                       "longerword ",
                                       "caf\xC3\xA9 ",
                                       "\n ",
                                       "bad "};
  std::string text;
  for (std::size_t i = 0; i < n_words; ++i)
    text += kWords[random() % (std::size(kWords) - (is_clean || random() % 3 != 0 ? 1 : 0))];
  return text;
}

Script random_script(std::mt19937& random) {
  Script script;
  if (random() % 3 == 0) script.interval = 1 + random() % 9;
  script.is_delayed = random() % 2 == 0;
  return script;
}

HoldBackOptions random_options(std::mt19937& random) {
  HoldBackOptions options;
  static constexpr std::int32_t kBuffers[] = {0, 1, 5, 40};
  options.buffer_tokens = kBuffers[random() % 4];
  if (random() % 3 == 0) options.release_after_ms = 1 + static_cast<double>(random() % 100);
  options.reports_provisional = random() % 4 == 0;
  options.max_retries = static_cast<std::int32_t>(random() % 4);
  return options;
}

}  // namespace

TEST_CASE("held text: without a block everything comes out unchanged", "[hold_back]") {
  for (int i = 0; i < q3g_test::iterations(400); ++i) {
    const auto seed = static_cast<std::uint32_t>(51000 + i);
    CAPTURE(seed);
    std::mt19937 random(seed);
    Script script = random_script(random);
    script.may_be_lifted = random() % 2 == 0;  // "badge" comes by "bad"
    HoldBackOptions options = random_options(random);
    options.reports_provisional = false;
    Run run(seed, script, options);
    const std::string text = random_text(random, 1 + random() % 60, true) + "end";
    run.write(text);
    REQUIRE(run.written == text);
    while (!run.hold().finish().ok()) {
    }
    const HoldBackRelease last = run.take_all();
    CHECK(last.state == HoldBackState::ended);
    CHECK(run.shown == text);
    const HoldBackStats stats = run.hold().stats();
    CHECK(stats.shown_bytes == static_cast<std::int64_t>(text.size()));
    CHECK(stats.withdrawn_bytes == 0);
    CHECK(stats.held_tokens == 0);
    CHECK(stats.n_waits > 0);
    CHECK(run.hold().turn() != nullptr);
  }
}

TEST_CASE("held text: what was shown is a prefix of what may be, through blocks and retries", "[hold_back]") {
  int n_retried = 0, n_withdrawn = 0, n_ended = 0;
  for (int i = 0; i < q3g_test::iterations(1500); ++i) {
    const auto seed = static_cast<std::uint32_t>(52000 + i);
    CAPTURE(seed);
    std::mt19937 random(seed);
    const HoldBackOptions options = random_options(random);
    Run run(seed, random_script(random), options);
    bool is_over = false;
    for (int n_retries = 0, n_rounds = 0; !is_over; ++n_rounds) {
      CAPTURE(to_string(run.hold().state()), run.written, run.shown);
      REQUIRE(n_rounds < 1000);
      run.write(random_text(random, 1 + random() % 40, random() % 3 == 0));
      const bool ends =
          random() % 2 == 0 && run.hold().state() == HoldBackState::writing && run.hold().finish().ok();
      const HoldBackRelease out = run.take_all();
      if (!out.block) {
        is_over = ends && (out.state == HoldBackState::ended || out.state == HoldBackState::withheld);
        continue;
      }
      CAPTURE(run.written, run.shown, out.block->byte_begin, out.block->shown_bytes);
      REQUIRE(out.block->shown_bytes == static_cast<std::int64_t>(run.shown.size()));
      REQUIRE(out.block->continue_byte == out.block->shown_bytes);
      REQUIRE(out.block->retries_left == options.max_retries - n_retries);
      REQUIRE(out.block->byte_begin <= static_cast<std::int64_t>(run.written.size()));
      if (out.block->is_settled) REQUIRE_FALSE(run.hold().put("x").ok());
      if (n_retries == options.max_retries) {
        REQUIRE_FALSE(run.hold().retry().ok());
        REQUIRE(run.hold().withdraw().ok());
        ++n_withdrawn;
        is_over = true;
        continue;
      }
      // Where the host's piece ended, or anywhere: also in front of what was shown, or within the block.
      std::int64_t byte = -1;
      if (random() % 2 == 0)
        byte = static_cast<std::int64_t>(whole(run.written, random() % (run.written.size() + 1)));
      REQUIRE(run.hold().retry(byte).ok());
      ++n_retries, ++n_retried;
      const auto place = byte < 0 ? run.shown.size() : static_cast<std::size_t>(byte);
      run.written.resize(place);
      if (run.shown.size() > place) run.shown.resize(place);
    }
    const HoldBackRelease last = run.take_all();
    n_ended += last.state == HoldBackState::ended ? 1 : 0;
    if (last.state == HoldBackState::ended) REQUIRE(run.shown == run.written);
    REQUIRE((" " + run.shown).find(" bad ") == std::string::npos);
    REQUIRE_FALSE(run.hold().put("more").ok());
    // The session has what the person has, and no more.
    REQUIRE(run.source().judged == run.shown);
    REQUIRE(run.source().has_ended);
  }
  CHECK(n_retried > 0);
  CHECK(n_withdrawn > 0);
  CHECK(n_ended > 0);
}

TEST_CASE("held text: what leaves in front of a block does not depend on the split", "[hold_back]") {
  for (int i = 0; i < q3g_test::iterations(200); ++i) {
    const auto seed = static_cast<std::uint32_t>(53000 + i);
    CAPTURE(seed);
    std::mt19937 random(seed);
    Script script = random_script(random);
    script.is_delayed = false;
    HoldBackOptions options = random_options(random);
    options.release_after_ms = 0;
    options.reports_provisional = false;
    const std::string text =
        random_text(random, random() % 60, true) + "bad " + random_text(random, 20, true);
    std::optional<std::pair<std::string, std::int64_t>> first;
    for (std::uint32_t split = 0; split < 4; ++split) {
      Run run(seed + split, script, options);
      if (split == 0) {
        REQUIRE(run.hold().put(text).ok());
        run.written = text;
      } else {
        run.write(text);
      }
      if (run.hold().state() == HoldBackState::writing) REQUIRE(run.hold().finish().ok());
      const HoldBackRelease out = run.take_all();
      REQUIRE(out.block.has_value());
      const std::pair found(run.shown, out.block->byte_begin);
      if (!first) first = found;
      CHECK(found == *first);
    }
  }
}

TEST_CASE("held text: a deadline releases nothing that is not judged and settled", "[hold_back]") {
  Script script;
  HoldBackOptions options;
  options.release_after_ms = 50;
  {
    Run run(1, script, options);
    REQUIRE(run.hold().put("good text").ok());
    CHECK(run.hold().take().value().text.empty());
    run.time()->now_ms += 49;
    CHECK(run.hold().take().value().text.empty());
    run.time()->now_ms += 1;
    const HoldBackRelease out = run.hold().take().value();
    CHECK(out.text == "good ");
    CHECK(out.waited_ms == Approx(50));
    run.time()->now_ms += 1e6;
    CHECK(run.hold().take().value().text.empty());  // "text" may become "textbook"
    CHECK(run.hold().stats().max_wait_ms == 0);     // the piece has not left as a whole
  }
  script.interval = 4;
  {
    Run run(1, script, options);
    REQUIRE(run.hold().put("one two ").ok());
    run.time()->now_ms += 1e6;
    CHECK(run.hold().take().value().text == "one two ");
    REQUIRE(run.hold().put("six ").ok());
    run.time()->now_ms += 1e6;
    CHECK(run.hold().take().value().text.empty());  // no verdict before the next token
  }
  script.interval = 0;
  script.unjudged_at = 8;
  {
    Run run(1, script, options);
    REQUIRE(run.hold().put("one two three four ").ok());
    run.time()->now_ms += 1e6;
    CHECK(run.hold().take().value().text == "one two ");
    REQUIRE(run.hold().finish().ok());
    const HoldBackRelease out = run.hold().take().value();
    CHECK(out.text.empty());
    CHECK(out.state == HoldBackState::withheld);
    CHECK(run.hold().stats().withdrawn_bytes == 11);
  }
}

TEST_CASE("held text: a provisional block holds, and is reported to a host that asks", "[hold_back]") {
  for (const bool reports : {false, true}) {
    CAPTURE(reports);
    HoldBackOptions options;
    options.buffer_tokens = 0;
    options.reports_provisional = reports;
    Run run(1, {}, options);
    REQUIRE(run.hold().put("a bad").ok());
    HoldBackRelease out = run.hold().take().value();
    CHECK(out.text.empty());
    CHECK(out.state == HoldBackState::writing);
    REQUIRE(out.block.has_value() == reports);
    if (reports) CHECK_FALSE(out.block->is_settled);
    REQUIRE(run.hold().put("ge ").ok());
    out = run.hold().take().value();
    CHECK(out.text == "a badge ");
    CHECK_FALSE(out.block.has_value());
    REQUIRE(run.hold().put("bad ").ok());
    out = run.hold().take().value();
    CHECK(out.state == HoldBackState::blocked);
    REQUIRE(out.block.has_value());
    CHECK(out.block->is_settled);
    CHECK(out.block->byte_begin == 8);
    REQUIRE(run.hold().retry().ok());
    REQUIRE(run.hold().put("b").ok());
    CHECK(run.hold().state() == HoldBackState::writing);
  }
}

TEST_CASE("held text: after an error nothing leaves, and the answer can be ended", "[hold_back]") {
  for (int i = 0; i < q3g_test::iterations(100); ++i) {
    const auto seed = static_cast<std::uint32_t>(54000 + i);
    CAPTURE(seed);
    std::mt19937 random(seed);
    Script script = random_script(random);
    script.fails_at = 40 + random() % 60;
    HoldBackOptions options = random_options(random);
    options.buffer_tokens = 1;
    options.reports_provisional = false;
    Run run(seed, script, options);
    run.write(random_text(random, 120, true));
    while (!run.has_failed) run.take(1000);
    CHECK(run.hold().state() == HoldBackState::failed);
    const std::string shown = run.shown;
    run.time()->now_ms += 1e6;
    CHECK_FALSE(run.hold().take().ok());
    CHECK_FALSE(run.hold().put("more").ok());
    CHECK_FALSE(run.hold().finish().ok());
    CHECK_FALSE(run.hold().retry().ok());
    REQUIRE(run.hold().withdraw().ok());
    const HoldBackRelease last = run.hold().take(1000).value();
    CHECK(last.text.empty());
    CHECK(last.state == HoldBackState::withheld);
    CHECK(run.source().judged == shown);
    CHECK_FALSE(run.hold().withdraw().ok());
  }
}

TEST_CASE("held text: options out of range", "[hold_back]") {
  const auto opens = [](const HoldBackOptions& options) {
    std::mt19937 random(1);
    return HoldBack::Impl::over(std::make_unique<ScriptedSource>(Script(), random), options,
                                std::make_shared<TestTime>())
        .ok();
  };
  HoldBackOptions options;
  CHECK(opens(options));
  options.buffer_tokens = -1;
  CHECK_FALSE(opens(options));
  options = {};
  options.max_retries = -1;
  CHECK_FALSE(opens(options));
  options = {};
  options.release_after_ms = -1;
  CHECK_FALSE(opens(options));
  options = {};
  options.deadline_ms = std::numeric_limits<double>::quiet_NaN();
  CHECK_FALSE(opens(options));
}

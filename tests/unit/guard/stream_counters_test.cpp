// SPDX-License-Identifier: Apache-2.0
// Every counter and range of a session, in every state that random calls lead to, against a small model.
#include "session_model.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using test::Model;
using test::StreamText;
using test::TurnModel;

namespace {

/// Random calls. Texts come in pieces that may end inside a character.
class Walk {
 public:
  Walk(const Guard& guard, const StreamOptions& options, std::uint32_t seed)
      : guard_(guard),
        options_(options),
        random_(seed),
        is_gen_(guard.kind() == ModelKind::gen),
        session_(guard.open_stream(options).value()),
        model_(guard, options) {}

  void run(int n_steps) {
    for (int step = 0; step < n_steps; ++step) {
      what_.clear();
      one();
      CAPTURE(step, what_);
      check(session_, model_, options_, is_gen_);
    }
  }

 private:
  /// A context that is full is an error that leaves everything as it was; so is a place it has slid over.
  template <class R>
  [[nodiscard]] bool is_full(const R& result) const {
    if (options_.context == ContextPolicy::error || result.ok()) return false;
    return result.error().code == ErrorCode::context_full ||
           (options_.context == ContextPolicy::slide &&
            result.error().detail.find("slid") != std::string::npos);
  }
  [[nodiscard]] std::size_t n_parts(std::size_t n) {
    return random_.below(options_.context == ContextPolicy::error ? n : 8 * n);
  }

  std::string piece() {
    std::string text = random_.next(1 + n_parts(3));
    const bool is_first = model_.is_open() && model_.turns.back().text.empty();
    if (is_first && options_.thinking == Thinking::skip && random_.below(2) == 0)
      text = (random_.below(2) == 0 ? "<think>" : "\n<think>") + text;
    if (random_.below(4) == 0 && !text.empty()) text.resize(random_.below(text.size()) + 1);
    // What was left of a character in the piece before; half of the time its end comes.
    if (!rest_.empty() && random_.below(2) == 0) text = rest_ + text;
    rest_.clear();
    // A mark that combines with the line break of the role's line would have a range that begins in there.
    if (text.starts_with("\xCC")) text = "a" + text;
    static const std::string kCut = "\xE4\xB8\x96";
    if (random_.below(5) == 0) {
      const std::size_t n = 1 + random_.below(2);
      text += kCut.substr(0, n);
      rest_ = kCut.substr(n);
    }
    return text;
  }

  void one() {
    switch (random_.below(12)) {
      case 0:
        return push_tokens();
      case 1:
        return end_turn();
      case 2:
        what_ = "mark";
        marks_.push_back(session_.mark());
        return;
      case 3:
        return rewind();
      case 4:
        return rewind_to_byte();
      case 5: {
        what_ = "fork";
        StreamSession fork = session_.fork().value();
        check(fork, model_, options_, is_gen_);
        if (random_.below(2) == 0) session_ = std::move(fork);
        return;
      }
      case 6:
        return restore_or_prompt();
      case 7:
        if (random_.below(6) != 0) return begin_turn();
        what_ = "reset";
        session_.reset();
        model_.turns.clear();
        return;
      case 8:
        return begin_turn();
      default:
        return push_text();
    }
  }

  void open(Role role) {
    TurnModel turn;
    turn.role = role;
    turn.serial = session_.mark().turn;
    for (const TurnModel& other : model_.turns) REQUIRE(other.serial != turn.serial);
    model_.turns.push_back(turn);
    rest_.clear();
  }

  void begin_turn() {
    what_ = "begin_turn";
    // A Gen checkpoint's prompt has room for an answer behind a prompt only.
    const bool has_prompt = !model_.turns.empty() && model_.turns.back().role == Role::user;
    const auto role =
        is_gen_ ? (has_prompt ? Role::assistant : Role::user) : static_cast<Role>(random_.below(3));
    const Status status = session_.begin_turn(role);
    if (is_full(status)) return;
    REQUIRE(status.ok() == !model_.is_open());
    if (status.ok()) open(role);
  }

  void push_text() {
    what_ = "push_text";
    const std::string text = piece();
    const bool fits = model_.is_open() && model_.turns.back().kind != TurnModel::Kind::tokens;
    // What comes behind the end of the context is not looked at.
    const bool is_bad = options_.invalid_utf8 == InvalidUtf8::reject && fits &&
                        !model_.turns.back().stopped_at_byte &&
                        is_ill_formed(model_.turns.back().text + text);
    const auto update = session_.push_text(text);
    if (is_full(update)) return;
    CAPTURE(text, fits, is_bad, update.ok() ? std::string() : update.error().detail);
    REQUIRE(update.ok() == (fits && !is_bad));
    if (!update.ok()) return;
    TurnModel& turn = model_.turns.back();
    turn.kind = TurnModel::Kind::text;
    turn.text += text;
    apply(turn, *update, false);
  }

  [[nodiscard]] static bool is_ill_formed(const std::string& text) {
    const std::string whole = text.substr(0, text.size() - test::tail_bytes(text));
    return test::repaired(whole) != whole;
  }

  void push_tokens() {
    what_ = "push_tokens";
    std::vector<TokenId> ids = guard_.tokenizer()->encode(random_.next(n_parts(3))).value();
    const bool fits =
        model_.is_open() && model_.turns.back().kind != TurnModel::Kind::text && !model_.turns.back().has_end;
    const bool ends = fits && model_.turns.back().role == Role::assistant && random_.below(5) == 0;
    if (ends)
      ids.push_back(*guard_.tokenizer()->find_added(random_.below(2) == 0 ? "<|im_end|>" : "<|endoftext|>"));
    std::vector<TokenVerdict> out(ids.size() + 1);
    out.back().id = 12345;
    const std::int32_t before = session_.position();
    const Status status = session_.push_tokens(ids, out);
    REQUIRE(out.back().id == 12345);
    if (is_full(status)) return;
    REQUIRE(status.ok() == fits);
    if (!status.ok()) return;
    TurnModel& turn = model_.turns.back();
    const bool is_first = turn.kind == TurnModel::Kind::none;
    turn.kind = TurnModel::Kind::tokens;
    const std::int64_t begin = model_.n_bytes(turn);
    turn.ids.insert(turn.ids.end(), ids.begin(), ids.end() - (ends ? 1 : 0));
    turn.has_end = ends;
    std::int64_t byte = begin;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool is_end = ends && i + 1 == ids.size();
      REQUIRE(out[i].id == ids[i]);
      if (turn.role == Role::assistant || !is_first)
        REQUIRE(out[i].position == before + static_cast<std::int32_t>(i));
      REQUIRE(out[i].byte_begin == byte);
      byte += is_end ? 0 : model_.token_bytes(std::span(ids).subspan(i, 1));
      REQUIRE(out[i].byte_end == byte);
      REQUIRE(out[i].is_settled);
      if (is_end || turn.role == Role::system) {
        REQUIRE(out[i].source == VerdictSource::none);
        REQUIRE_FALSE(out[i].counts);
      }
    }
    // There is no update: it adds what was judged, and changes nothing but where a Gen checkpoint's verdicts
    // fall.
    const auto all = session_.verdicts();
    const auto n_first = static_cast<std::ptrdiff_t>(session_.first_verdict());
    if (turn.role == Role::system) return;
    if (is_gen_) {
      turn.record.resize(std::min(turn.record.size(), session_.first_verdict()));
      turn.record.insert(turn.record.end(), all.begin(), all.end());
    } else {
      const auto n_judged = std::count_if(
          out.begin(), out.end() - 1, [](const TokenVerdict& t) { return t.source == VerdictSource::heads; });
      turn.record.insert(turn.record.end(), out.begin(), out.begin() + n_judged);
    }
    REQUIRE(turn.record.size() == all.size() + static_cast<std::size_t>(n_first));
    if (session_.decision().unjudged_end > session_.decision().unjudged_begin && !is_gen_ &&
        options_.context == ContextPolicy::stop && turn.role == Role::assistant)
      turn.stopped_at_byte = session_.decision().unjudged_begin;
  }

  void end_turn() {
    what_ = "end_turn";
    const auto turn = session_.end_turn();
    if (is_full(turn)) return;
    REQUIRE(turn.ok() == model_.is_open());
    if (!turn.ok()) return;
    TurnModel& last = model_.turns.back();
    REQUIRE(turn->role == last.role);
    last.is_open = false;
    if (last.kind == TurnModel::Kind::none && last.role != Role::assistant) last.kind = TurnModel::Kind::text;
    REQUIRE(turn->prompt.has_value() == (last.role == Role::user));
    if (turn->prompt) {
      REQUIRE(turn->prompt->byte_begin == model_.n_bytes(last));
      REQUIRE(turn->prompt->byte_end == model_.n_bytes(last));
      REQUIRE(turn->prompt->severity != Severity::not_judged);
      if (!is_gen_) REQUIRE(turn->prompt->position == session_.position() - 2);
    }
    const Decision now = session_.decision();
    REQUIRE(turn->decision.severity == now.severity);
    REQUIRE(turn->decision.is_complete == now.is_complete);
    REQUIRE(turn->decision.unjudged_begin == now.unjudged_begin);
    REQUIRE(turn->decision.unjudged_end == now.unjudged_end);
    const auto all = session_.verdicts();
    for (const TokenVerdict& token : all) REQUIRE(token.is_settled);
    last.record.resize(std::min(last.record.size(), session_.first_verdict()));
    last.record.insert(last.record.end(), all.begin(), all.end());
    last.n_settled = last.record.size();
  }

  void rewind() {
    what_ = "rewind";
    StreamMark mark;
    if (!marks_.empty() && random_.below(8) != 0) mark = marks_[random_.below(marks_.size())];
    Model after = model_;
    const bool is_fine = after.rewind(mark);
    const auto update = session_.rewind(mark);
    CAPTURE(mark.turn, mark.n_units, mark.is_closed);
    if (is_full(update)) return;
    REQUIRE(update.ok() == is_fine);
    if (!is_fine) return;
    model_ = after;
    rest_.clear();
    if (!model_.turns.empty() && !model_.turns.back().is_restored) apply(model_.turns.back(), *update, true);
  }

  void rewind_to_byte() {
    what_ = "rewind_to_byte";
    const auto n = static_cast<std::int64_t>(random_.below(40));
    const bool is_fine = model_.is_open() && n <= session_.turn_bytes();
    const auto update = session_.rewind_to_byte(n);
    if (is_full(update)) return;
    REQUIRE(update.ok() == is_fine);
    if (!is_fine) return;
    model_.rewind_to_byte(n);
    rest_.clear();
    apply(model_.turns.back(), *update, true);
  }

  void restore_or_prompt() {
    if (model_.is_open()) return;
    if (random_.below(2) == 0) {
      what_ = "restore";
      const std::vector<Message> messages = {{Role::user, random_.next(2)},
                                             {Role::assistant, random_.next(2)}};
      const Status status = session_.restore(messages);
      if (is_full(status)) return;
      REQUIRE(status.ok());
      const std::uint64_t last = session_.mark().turn;
      for (std::size_t i = 0; i < messages.size(); ++i) {
        TurnModel turn;
        turn.role = messages[i].role;
        turn.kind = TurnModel::Kind::text;
        turn.text = messages[i].content;
        turn.is_open = false;
        turn.is_restored = true;
        turn.serial = last - (messages.size() - 1 - i);
        model_.turns.push_back(turn);
      }
      return;
    }
    what_ = "push_prompt";
    const std::string text = random_.next(2);
    const auto prompt = session_.push_prompt(text);
    if (is_full(prompt)) return;
    REQUIRE(prompt.ok());
    TurnModel user;
    user.kind = TurnModel::Kind::text;
    user.text = text;
    user.is_open = false;
    user.is_restored = !is_gen_;
    user.serial = session_.mark().turn - 1;
    REQUIRE(prompt->byte_end == static_cast<std::int64_t>(text.size()));
    if (is_gen_) user.record.resize(model_.verdict_ids(user).size());
    model_.turns.push_back(user);
    open(Role::assistant);
  }

  const Guard& guard_;
  StreamOptions options_;
  StreamText random_;
  bool is_gen_;
  StreamSession session_;
  Model model_;
  std::vector<StreamMark> marks_;
  std::string rest_, what_;
};

}  // namespace

TEST_CASE("counters: all of them, in every state, as the header says", "[stream][counters]") {
  constexpr std::uint32_t kSeed = 41001;
  const Guard guard = test::load_tiny("stream").value();
  for (std::uint32_t n = 0; n < 24; ++n) {
    CAPTURE(kSeed, n);
    StreamOptions options;
    options.max_tokens = 2048;
    options.judge_unsettled = n % 3 != 2;
    options.invalid_utf8 = n % 2 == 0 ? InvalidUtf8::reject : InvalidUtf8::replace;
    options.thinking = static_cast<Thinking>(n % 4 == 3 ? 1 : n % 4 == 2 ? 2 : 0);
    Walk(guard, options, kSeed + n).run(60);
  }
}

TEST_CASE("counters: the same where the context stops or slides", "[stream][counters]") {
  constexpr std::uint32_t kSeed = 43001;
  const Guard guard = test::load_tiny("stream").value();
  for (std::uint32_t n = 0; n < 16; ++n) {
    CAPTURE(kSeed, n);
    StreamOptions options;
    options.context = n % 2 == 0 ? ContextPolicy::stop : ContextPolicy::slide;
    options.max_tokens = n % 2 == 0 ? 96 : 320;
    options.judge_unsettled = n % 3 != 2;
    Walk(guard, options, kSeed + n).run(60);
  }
}

TEST_CASE("counters: the same of a Gen checkpoint's sessions", "[stream][counters][gen]") {
  constexpr std::uint32_t kSeed = 42001;
  const Guard guard = test::load_tiny("gen").value();
  for (std::uint32_t n = 0; n < 10; ++n) {
    CAPTURE(kSeed, n);
    StreamOptions options;
    options.gen_interval_tokens = 1 + static_cast<std::int32_t>(n % 3) * 4;
    options.invalid_utf8 = n % 2 == 0 ? InvalidUtf8::reject : InvalidUtf8::replace;
    options.thinking = n % 4 < 2 ? Thinking::none : Thinking::skip;
    Walk(guard, options, kSeed + n).run(40);
  }
}

TEST_CASE("counters: the same of these where the context stops or slides", "[stream][counters][gen]") {
  constexpr std::uint32_t kSeed = 44001;
  const Guard guard = test::load_tiny("gen").value();
  StreamSession probe = guard.open_stream().value();
  probe.push_prompt("Hello.").throw_if_error();
  probe.push_text("Hello.").throw_if_error();
  const std::int32_t n_base = probe.end_turn().value().written->tokens.prompt + 128;
  for (std::uint32_t n = 0; n < 8; ++n) {
    CAPTURE(kSeed, n);
    StreamOptions options;
    options.context = n % 2 == 0 ? ContextPolicy::stop : ContextPolicy::slide;
    options.max_tokens = n_base + 60;
    options.gen_interval_tokens = 1 + static_cast<std::int32_t>(n % 3) * 4;
    Walk(guard, options, kSeed + n).run(40);
  }
}

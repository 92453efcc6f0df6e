// SPDX-License-Identifier: Apache-2.0
// Lists over streams, whatever is done to them: against the matcher on the turn's whole text, and batches
// against sessions.
#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "guard/lists/phrase_matcher.hpp"
#include "iterations.hpp"
#include "policies.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using test::text_of;

namespace {

PhraseLists phrases() {
  PhraseLists lists;
  lists.deny = {"ab", "b c", "zorblax", "caf\u00e9"};
  lists.allow = {"ab ab", "the zorblax museum"};
  return lists;
}

/// With the lists, and every category off, so that no other rule does anything.
Policy only_lists() {
  return test::policy([](PolicySpec& spec) {
    spec.lists = phrases();
    test::each_category(spec.rules, [](CategoryRule& rule) { rule.unsafe = Action::allow; });
  });
}

std::string random_piece(std::mt19937& random) {
  static const std::vector<std::string> kPieces = {"a",    "b",        " ",       "c",
                                                   "ab",   "\u200B",   "zor",     "blax",
                                                   "the ", " museum",  "caf",     "e\u0301",
                                                   "\xFF", "\xE2\x80", "\n",      "<think>",
                                                   "\n",   "</think>", "Hm. ",    "\xF0\x9F\x98\x80",
                                                   "\xC3", "\xA9",     "zorblax "};
  std::string out;
  for (std::size_t n = random() % 5; n > 0; --n) out += kPieces[random() % kPieces.size()];
  return out;
}

struct Turn {
  Role role = Role::user;
  std::string text;
  bool is_open = true, is_ids = false, is_restored = false;
};

/// A session, what its turns hold, and places to go back to.
struct Walk {
  StreamSession session;
  std::vector<Turn> turns;
  struct Place {
    StreamMark mark;
    std::vector<Turn> turns;
  };
  std::vector<Place> places;
};

/// The session has gone back: places behind are there no longer, or of other text.
void forget_places(Walk& walk) {
  const std::size_t n_turns = walk.turns.size(), n_bytes = walk.turns.back().text.size();
  const auto is_gone = [&](const Walk::Place& place) {
    return place.turns.size() > n_turns ||
           (place.turns.size() == n_turns && place.turns.back().text.size() > n_bytes);
  };
  walk.places.erase(std::remove_if(walk.places.begin(), walk.places.end(), is_gone), walk.places.end());
}

void check_hit(const Walk& walk, const detail::PhraseMatcher& matcher) {
  const Decision decision = walk.session.decision();
  std::string story;
  for (const Turn& turn : walk.turns)
    story += std::string(to_string(turn.role)) + (turn.is_open ? " open [" : " [") + turn.text + "] ";
  CAPTURE(story, text_of(decision));
  const bool is_looked_at = !walk.turns.empty() && walk.turns.back().role != Role::system &&
                            (walk.turns.back().is_open || !walk.turns.back().is_restored);
  const auto hit = is_looked_at ? matcher.find(walk.turns.back().text) : std::nullopt;
  REQUIRE((decision.ruling.rule == Rule::deny_list) == hit.has_value());
  if (!hit) {
    REQUIRE(decision.action != Action::block);
    return;
  }
  REQUIRE(decision.action == Action::block);
  REQUIRE(decision.ruling.phrase == hit->phrase);
  REQUIRE(decision.ruling.byte_begin == hit->byte_begin);
  REQUIRE(decision.ruling.byte_end == hit->byte_end);
  if (!walk.turns.back().is_open) REQUIRE(decision.ruling.is_settled);
  for (const TokenVerdict& token : walk.session.verdicts()) {
    if (token.byte_end >= hit->byte_end) REQUIRE(token.action == Action::block);
  }
}

/// Does something to the session and to what is known of it.
void take_step(Walk& walk, std::mt19937& random, const Tokenizer& tokenizer) {
  const bool is_open = !walk.turns.empty() && walk.turns.back().is_open;
  const unsigned what = static_cast<unsigned>(random() % 16);
  if (!is_open || what == 0) {
    if (is_open) walk.session.end_turn().throw_if_error();
    if (is_open) walk.turns.back().is_open = false;
    if (random() % 6 == 0) {
      const std::string text = "zorb" + std::string(random() % 2 == 0 ? "lax" : "") + " ab";
      walk.session.restore(std::vector<Message>{{Role::user, "ab"}, {Role::assistant, text}})
          .throw_if_error();
      walk.turns.push_back({Role::user, "ab", false, false, true});
      walk.turns.push_back({Role::assistant, text, false, false, true});
      return;
    }
    // A Gen checkpoint's conversation begins with a user.
    const Role role = walk.turns.empty() || random() % 3 == 0 ? Role::user : Role::assistant;
    walk.session.begin_turn(role).throw_if_error();
    walk.turns.push_back({role, {}, true, random() % 4 == 0, false});
    return;
  }
  Turn& turn = walk.turns.back();
  if (what == 1) {
    walk.places.push_back({walk.session.mark(), walk.turns});
  } else if (what == 2 && !walk.places.empty()) {
    const Walk::Place place = walk.places[random() % walk.places.size()];
    walk.session.rewind(place.mark).throw_if_error();
    walk.turns = place.turns;
    forget_places(walk);
  } else if (what == 3 && !turn.is_ids) {
    turn.text.resize(random() % (turn.text.size() + 1));
    walk.session.rewind_to_byte(static_cast<std::int64_t>(turn.text.size())).throw_if_error();
    forget_places(walk);
  } else if (what == 4) {
    walk.session.end_turn().throw_if_error();
    turn.is_open = false;
  } else if (what == 5) {
    walk.session = walk.session.fork().value();
  } else if (what == 6 && random() % 8 == 0) {
    walk.session.reset();
    walk.turns.clear();
    walk.places.clear();
  } else if (turn.is_ids) {
    const std::vector<TokenId> ids =
        tokenizer.encode(random() % 2 == 0 ? " zorblax, caf\u00e9" : "a b c").value();
    const std::size_t n = random() % (ids.size() + 1);
    std::vector<TokenVerdict> out(n);
    walk.session.push_tokens(std::span(ids).first(n), out).throw_if_error();
    for (std::size_t i = 0; i < n; ++i) turn.text += tokenizer.token_bytes(ids[i]).value();
  } else {
    const std::string piece = random_piece(random);
    walk.session.push_text(piece).throw_if_error();
    turn.text += piece;
  }
}

/// All that waits is judged.
void drain(StreamBatch& batch) {
  while (batch.stats().n_waiting_sessions > 0) batch.step(1e9, true);
}

}  // namespace

TEST_CASE("list streams: on a random walk the decision is that of the matcher", "[lists]") {
  const std::uint32_t seed = 15027;
  INFO("seed " << seed);
  const detail::PhraseMatcher matcher = detail::PhraseMatcher::compile(phrases()).value();
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = test::load_tiny(name).value();
    std::mt19937 random(seed);
    for (int i = 0; i < q3g_test::iterations(24); ++i) {
      StreamOptions options;
      options.policy = only_lists();
      options.invalid_utf8 = InvalidUtf8::replace;
      options.thinking = static_cast<Thinking>(random() % 3);
      options.judge_unsettled = random() % 2 == 0;
      options.gen_interval_tokens = 6;
      Walk walk{guard.open_stream(options).value(), {}, {}};
      for (int k = 0; k < 40; ++k) {
        CAPTURE(name, i, k, static_cast<int>(options.thinking), options.judge_unsettled);
        take_step(walk, random, *guard.tokenizer());
        check_hit(walk, matcher);
      }
    }
  }
}

TEST_CASE("list streams: a batch rules as sessions do that were given the same", "[lists][batch]") {
  const std::uint32_t seed = 15028;
  INFO("seed " << seed);
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = test::load_tiny(name).value();
    StreamBatchOptions limits;
    limits.max_step_tokens = 24;
    limits.max_session_tokens = 5;
    StreamBatch batch = StreamBatch::open(guard, limits).value();
    std::mt19937 random(seed);
    StreamOptions options;
    options.policy = test::policy([](PolicySpec& spec) { spec.lists = phrases(); });
    options.invalid_utf8 = InvalidUtf8::replace;
    options.gen_interval_tokens = 8;
    struct Client {
      StreamId id;
      StreamSession alone;
      std::vector<std::string> ends;  // what came of turns, alone
      std::size_t n_ends = 0;         // seen of the batch's
      StreamMark mark;
      bool is_open = false;
    };
    std::vector<Client> clients;
    for (int i = 0; i < 8; ++i)
      clients.push_back({batch.add(options).value(), guard.open_stream(options).value(), {}, 0, {}});
    const auto text_of_end = [](const TurnVerdict& turn) {
      return text_of(turn.decision.ruling) + to_string(turn.decision.action) +
             (turn.prompt ? to_string(turn.prompt->action) : "") +
             (turn.written ? to_string(turn.written->ruling.action) : "");
    };
    const auto take_events = [&](Client& client) {
      for (const StreamEvent& event : batch.poll(client.id).value()) {
        if (event.kind == StreamEvent::Kind::overdue) continue;
        CAPTURE(event.status.ok() ? "" : event.status.error().detail);
        REQUIRE(event.kind != StreamEvent::Kind::error);
        if (event.kind != StreamEvent::Kind::turn_end) continue;
        REQUIRE(client.n_ends < client.ends.size());
        REQUIRE(text_of_end(event.turn) == client.ends[client.n_ends]);
        ++client.n_ends;
      }
    };
    for (int k = 0; k < q3g_test::iterations(400); ++k) {
      Client& client = clients[random() % clients.size()];
      CAPTURE(name, k, client.id);
      const unsigned what = static_cast<unsigned>(random() % 12);
      if (what == 0 && client.is_open) {
        REQUIRE(batch.end_turn(client.id).ok());
        client.ends.push_back(text_of_end(client.alone.end_turn().value()));
        client.is_open = false;
      } else if (!client.is_open && what % 2 == 0) {
        const std::string prompt = "Hello " + random_piece(random);
        REQUIRE(batch.push_prompt(client.id, prompt).ok());
        client.alone.begin_turn(Role::user).throw_if_error();
        client.alone.push_text(prompt).throw_if_error();
        client.ends.push_back(text_of_end(client.alone.end_turn().value()));
        client.alone.begin_turn(Role::assistant).throw_if_error();
        client.is_open = true;
      } else if (!client.is_open) {
        const Role role = client.ends.empty() || random() % 2 == 0 ? Role::user : Role::assistant;
        REQUIRE(batch.begin_turn(client.id, role).ok());
        client.alone.begin_turn(role).throw_if_error();
        client.is_open = true;
      } else if (what == 1) {
        drain(batch);
        const std::int64_t n = static_cast<std::int64_t>(random()) % (client.alone.turn_bytes() + 1);
        client.alone.rewind_to_byte(n).throw_if_error();
        Status status;
        REQUIRE(batch
                    .visit(client.id,
                           [&](StreamSession& session) {
                             const auto update = session.rewind_to_byte(n);
                             if (!update.ok()) status = update.error();
                           })
                    .ok());
        REQUIRE(status.ok());
      } else {
        const std::string piece = random_piece(random);
        REQUIRE(batch.push_text(client.id, piece).ok());
        client.alone.push_text(piece).throw_if_error();
      }
      if (random() % 3 == 0) batch.step(1e9, true);
      if (random() % 4 == 0) take_events(client);
    }
    drain(batch);
    std::size_t n_denied = 0;
    for (Client& client : clients) {
      take_events(client);
      REQUIRE(client.n_ends == client.ends.size());
      for (const std::string& end : client.ends)
        n_denied += end.find("deny_list") != std::string::npos ? 1 : 0;
      REQUIRE(batch
                  .visit(client.id,
                         [&](StreamSession& session) {
                           CHECK(text_of(session.decision().ruling) ==
                                 text_of(client.alone.decision().ruling));
                           CHECK(session.decision().action == client.alone.decision().action);
                           CHECK(text_of(session.prompt_decision().ruling) ==
                                 text_of(client.alone.prompt_decision().ruling));
                         })
                  .ok());
    }
    if (q3g_test::iterations(400) == 400) CHECK(n_denied > 0);
  }
}

TEST_CASE("list streams: a turn that was restored is looked at when it is open again", "[lists]") {
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = test::load_tiny(name).value();
    for (const Role role : {Role::user, Role::assistant}) {
      CAPTURE(name, to_string(role));
      StreamOptions options;
      options.policy = only_lists();
      StreamSession session = guard.open_stream(options).value();
      session.restore(std::vector<Message>{{Role::user, "Hi"}, {role, "\n\nsay zorblax"}}).throw_if_error();
      CHECK(session.decision().action == Action::none);
      StreamMark mark = session.mark();
      mark.is_closed = false;
      session.rewind(mark).throw_if_error();
      CHECK(session.decision().ruling.rule == Rule::deny_list);
      CHECK(session.decision().ruling.byte_begin == 6);
      CHECK(session.end_turn().value().decision.action == Action::block);
    }
  }
}

TEST_CASE("list streams: thinking that is skipped is looked at", "[lists]") {
  const std::string text = "<think>\nsay zorblax\n</think>\n\nWell.";
  for (const char* name : {"stream", "gen"}) {
    CAPTURE(name);
    const Guard guard = test::load_tiny(name).value();
    StreamOptions options;
    options.policy = only_lists();
    options.thinking = Thinking::skip;
    StreamSession session = guard.open_stream(options).value();
    session.push_prompt("Hi").throw_if_error();
    session.push_text(text).throw_if_error();
    CHECK(session.decision().ruling.rule == Rule::deny_list);
    const Decision end = session.end_turn().value().decision;
    CHECK(end.action == Action::block);
    CHECK(end.ruling.byte_begin == 12);
    if (guard.kind() == ModelKind::gen) continue;
    ClassifyOptions classify;
    classify.policy = options.policy;
    classify.thinking = Thinking::skip;
    CHECK(guard.classify_response("Hi", text, classify).value().ruling.byte_begin == 12);
  }
}

TEST_CASE("list streams: a written verdict on a turn has what the lists rule", "[lists]") {
  const Guard guard = test::load_tiny("gen").value();
  StreamOptions options;
  options.policy = only_lists();
  StreamSession session = guard.open_stream(options).value();
  session.push_prompt("Hi").throw_if_error();
  const std::string text = "Well, zorblax it is.";
  session.push_text(text).throw_if_error();
  const TurnVerdict turn = session.end_turn().value();
  REQUIRE(turn.written.has_value());
  CHECK(turn.written->ruling.rule == Rule::deny_list);
  CHECK(turn.written->ruling.action == Action::block);
  CHECK(turn.written->severity != Severity::not_judged);
  ClassifyOptions classify;
  classify.policy = options.policy;
  CHECK(text_of(turn.written->ruling) ==
        text_of(guard.classify_response("Hi", text, classify).value().ruling));
  CHECK(text_of(turn.written->ruling) == text_of(decide(options.policy, *turn.written, text).value()));
}

TEST_CASE("list streams: a context that slides keeps what was found, and not the text", "[lists]") {
  std::string filler;
  while (filler.size() < 400) filler += "The bread rises in the warm oven while we read. ";
  for (const char* name : {"stream", "gen"}) {
    CAPTURE(name);
    const Guard guard = test::load_tiny(name).value();
    const bool is_stream = guard.kind() == ModelKind::stream;
    StreamOptions options;
    options.context = ContextPolicy::slide;
    options.gen_interval_tokens = 64;
    options.max_tokens = is_stream ? 256 : guard.classify_prompt("").value().tokens.prompt + 400;
    StreamSession plain = guard.open_stream(options).value();
    options.policy = only_lists();
    StreamSession session = guard.open_stream(options).value(), other = guard.open_stream(options).value();
    for (StreamSession* each : {&plain, &session, &other}) each->push_prompt("Hi").throw_if_error();
    constexpr int kPushes = 24;
    const auto n_list_bytes = [&] { return session.memory_bytes() - plain.memory_bytes(); };
    std::size_t n_bytes = 0;
    for (int i = 0; i < 3 * kPushes; ++i) {
      if (i == kPushes) n_bytes = n_list_bytes();
      plain.push_text(filler).throw_if_error();
      session.push_text(filler).throw_if_error();
      if (other.first_verdict() > 0) continue;
      other.push_text(i == 0 ? "A zorblax. " + filler : filler).throw_if_error();
    }
    REQUIRE(session.first_verdict() > 0);
    CHECK(n_list_bytes() < n_bytes + kPushes * filler.size());
    // Found long ago, and at no token any more.
    REQUIRE(other.first_verdict() > 0);
    CHECK(other.decision().ruling.rule == Rule::deny_list);
    CHECK(other.decision().ruling.byte_begin == 2);
    CHECK_FALSE(other.decision().ruling.position.has_value());
    CHECK(other.verdicts().back().action == Action::block);
    // It goes on being looked at, and taken back.
    session.push_text("zor").throw_if_error();
    const StreamMark mark = session.mark();
    for (int i = 0; i < 2; ++i) {
      session.push_text("blax. ").throw_if_error();
      CHECK(session.decision().ruling.rule == Rule::deny_list);
      CHECK(session.decision().ruling.byte_begin == static_cast<std::int64_t>(filler.size()) * 3 * kPushes);
      if (i > 0) break;
      session.rewind(mark).throw_if_error();
      CHECK(session.decision().ruling.rule != Rule::deny_list);
    }
    CHECK(session.end_turn().value().decision.action == Action::block);
  }
}

namespace {

/// What holds of a session whatever was done to it, under any policy.
void check_never_let_pass(const StreamSession& session, const Policy& policy, const Turn* turn) {
  const Decision decision = session.decision();
  CAPTURE(text_of(decision));
  const bool is_over = turn != nullptr && !turn->is_open;
  for (const Action action : {decision.action, decision.ruling.action}) {
    if (action != Action::allow) continue;
    REQUIRE(decision.is_complete);
    REQUIRE(decision.severity != Severity::not_judged);
  }
  if (decision.severity == Severity::safe) REQUIRE(decision.is_complete);
  if (is_over && !decision.is_complete && policy.rules().unjudged == Unjudged::block)
    REQUIRE(decision.action == Action::block);
  if (is_over && !decision.is_complete) REQUIRE(decision.action != Action::allow);
  for (const TokenVerdict& token : session.verdicts()) {
    const bool is_judged = token.source == VerdictSource::heads || token.source == VerdictSource::written;
    if (token.action == Action::allow) REQUIRE((is_judged && token.severity != Severity::not_judged));
    if (token.severity == Severity::safe) REQUIRE(is_judged);
  }
  const Decision prompt = session.prompt_decision();
  if (prompt.action == Action::allow)
    REQUIRE((prompt.is_complete && prompt.severity != Severity::not_judged));
}

}  // namespace

TEST_CASE("list streams: nothing that was not judged is let pass, under any policy, in any context",
          "[lists]") {
  const std::uint32_t seed = 15029;
  INFO("seed " << seed);
  int n_incomplete = 0, n_blocked = 0, n_allowed = 0;
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = test::load_tiny(name).value();
    const bool is_stream = guard.kind() == ModelKind::stream;
    const std::int32_t n_template = is_stream ? 0 : guard.classify_prompt("").value().tokens.prompt + 128;
    std::mt19937 random(seed);
    for (int i = 0; i < q3g_test::iterations(48); ++i) {
      PolicySpec spec = test::random::spec(random);
      spec.rules.context = random() % 2 == 0 ? ContextPolicy::stop : ContextPolicy::slide;
      if (random() % 2 == 0) spec.lists = phrases();
      StreamOptions options;
      options.policy = Policy::make(spec).value();
      options.invalid_utf8 = InvalidUtf8::replace;
      options.thinking = static_cast<Thinking>(random() % 3);
      options.judge_unsettled = random() % 2 == 0;
      options.gen_interval_tokens = 5;
      options.max_tokens = n_template + (spec.rules.context == ContextPolicy::stop ? 60 : 200);
      Walk walk{guard.open_stream(options).value(), {}, {}};
      for (int k = 0; k < 40; ++k) {
        CAPTURE(name, i, k, static_cast<int>(options.thinking), static_cast<int>(spec.rules.context),
                static_cast<int>(spec.rules.unjudged), options.judge_unsettled);
        bool has_failed = false;
        try {
          take_step(walk, random, *guard.tokenizer());
        } catch (const Exception&) {
          has_failed = true;  // what does not fit, and places that the context has slid past
        }
        const bool is_known = !has_failed && !walk.turns.empty();
        check_never_let_pass(walk.session, options.policy, is_known ? &walk.turns.back() : nullptr);
        if (has_failed) break;
        const Decision decision = walk.session.decision();
        n_incomplete += decision.is_complete ? 0 : 1;
        n_blocked += decision.ruling.rule == Rule::not_judged ? 1 : 0;
        n_allowed += decision.action == Action::allow ? 1 : 0;
      }
    }
  }
  CHECK(n_incomplete > 0);
  CHECK(n_blocked > 0);
  CHECK(n_allowed > 0);
}

// SPDX-License-Identifier: Apache-2.0
#include "server/doors/live_stream.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "wire/json_out.hpp"
#include "wire/stream_out.hpp"
#include "wire/utf8_text.hpp"

namespace qwen3guard::server {
namespace {

/// Gives each token its part of the turn's text in whole characters: one that several tokens share is the
/// last one's, as in SettledTokens of the program.
class TokenTexts {
 public:
  /// first_byte: where the first of the tokens begins.
  TokenTexts(std::string_view text, std::int64_t first_byte) : text_(text) {
    begin_ = std::min(static_cast<std::size_t>(std::max<std::int64_t>(first_byte, 0)), text.size());
    while (begin_ > 0 && begin_ < text.size() && is_inside(text[begin_])) --begin_;
  }
  [[nodiscard]] std::string_view next(std::int64_t token_end) {
    const auto end =
        std::clamp(static_cast<std::size_t>(std::max<std::int64_t>(token_end, 0)), begin_, text_.size());
    const std::string_view out = text_.substr(begin_, end - begin_);
    const std::size_t n = wire::find_ill_formed(out).value_or(out.size());
    begin_ += n;
    return out.substr(0, n);
  }

 private:
  static bool is_inside(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

  std::string_view text_;
  std::size_t begin_;
};

void put_token(wire::JsonOut& json, Role role, const TokenVerdict& token, std::string_view text,
               bool is_settled) {
  json.begin_object();
  wire::put_token_fields(json, role, token, text);
  json.key("counts").boolean(token.counts);
  json.key("settled").boolean(is_settled);
  json.end_object();
}

}  // namespace

Status LiveStream::open(StreamBatch& batch) {
  auto id = batch.add(options_);
  if (!id.ok()) return std::move(id).error();
  id_ = *id;
  is_open_ = true;
  return {};
}

void LiveStream::take(StreamBatch& batch, StreamStep step, Done done) {
  if (!is_open_) return done(Error{ErrorCode::invalid_argument, "the stream was closed"});
  steps_.push_back({std::move(step), std::move(done)});
  if (!is_under_way_) begin(batch);
}

bool LiveStream::is_late() const { return std::chrono::steady_clock::now() > steps_.front().step.deadline; }

void LiveStream::begin(StreamBatch& batch) {
  const StreamStep& step = steps_.front().step;
  is_under_way_ = true;
  first_ = n_verdicts_;
  tokens_.clear();
  ended_.reset();
  if (step.cancel != nullptr && step.cancel->is_cancelled()) {
    status_ = Error{ErrorCode::cancelled, "nobody waits for it any more"};
  } else if (is_late()) {
    status_ = Error{ErrorCode::cancelled, "it waited longer than its time limit"};
  } else {
    status_ = push(batch, step);
  }
  pool_.wait_for(shared_from_this());
}

Status LiveStream::push(StreamBatch& batch, const StreamStep& step) {
  if (step.prompt) return restore(batch, step);
  if (step.rewind_to_byte) {
    if (Status status = rewind(batch, *step.rewind_to_byte); !status.ok()) return status;
  }
  if (Status status = open_turn(batch, step); !status.ok()) return status;
  if (step.text) {
    if (Status status = batch.push_text(id_, *step.text); !status.ok()) return status;
    text_ += *step.text;
  }
  if (!step.ends_turn) return {};
  Status status = batch.end_turn(id_);
  if (status.ok()) has_turn_ = false;
  return status;
}

/// The turn that the step's text belongs to.
Status LiveStream::open_turn(StreamBatch& batch, const StreamStep& step) {
  if (has_turn_) {
    if (!step.role || *step.role == role_) return {};
    return Error{ErrorCode::invalid_argument,
                 std::string("the turn that is open is the ") + to_string(role_) + "'s"};
  }
  if (!step.text) return Error{ErrorCode::invalid_argument, "no turn is open; a text opens one"};
  const Role role = step.role.value_or(Role::assistant);
  if (Status status = batch.begin_turn(id_, role); !status.ok()) return status;
  has_turn_ = true;
  role_ = role;
  ++n_turns_;
  text_.clear();
  first_ = n_verdicts_ = n_settled_ = 0;
  return {};
}

/// What was said before, the user's message, and the assistant's turn open behind it.
Status LiveStream::restore(StreamBatch& batch, const StreamStep& step) {
  Status status;
  if (!step.history.empty()) {
    Status visited =
        batch.visit(id_, [&](StreamSession& session) { status = session.restore(step.history); });
    if (!visited.ok()) return visited;
  }
  if (status.ok()) status = batch.push_prompt(id_, *step.prompt);
  if (!status.ok()) return status;
  role_ = Role::assistant;
  has_turn_ = true;
  n_turns_ += static_cast<std::int64_t>(step.history.size()) + 2;
  return {};
}

Status LiveStream::rewind(StreamBatch& batch, std::int64_t byte) {
  if (!has_turn_ || byte > static_cast<std::int64_t>(text_.size()))
    return Error{ErrorCode::invalid_argument,
                 has_turn_ ? "rewind_to_byte: the turn has " + std::to_string(text_.size()) + " bytes"
                           : "rewind_to_byte: no turn is open"};
  Status status;
  Status visited = batch.visit(id_, [&](StreamSession& session) {
    auto update = session.rewind_to_byte(byte);
    if (update.ok()) {
      merge(*update);
    } else {
      status = std::move(update).error();
    }
  });
  if (!visited.ok() || !status.ok()) return visited.ok() ? status : visited;
  text_.resize(static_cast<std::size_t>(byte));
  return {};
}

bool LiveStream::look(StreamBatch& batch) {
  if (!is_open_ || !is_under_way_) return false;
  // Before the events are taken, so that none comes in between.
  const auto is_waiting = batch.is_waiting(id_);
  auto events = batch.poll(id_);
  if (!is_waiting.ok() || !events.ok()) {
    if (status_.ok()) status_ = is_waiting.ok() ? events.error() : is_waiting.error();
  } else {
    for (const StreamEvent& event : *events) note(event);
    if (*is_waiting) {
      // It is judged all the same, and what comes of it is part of the next step's outcome.
      if (is_late() && steps_.front().done)
        std::exchange(steps_.front().done,
                      nullptr)(Error{ErrorCode::cancelled, "it was not judged within the time limit"});
      return true;
    }
  }
  finish(batch);
  return is_open_ && is_under_way_;
}

void LiveStream::note(const StreamEvent& event) {
  switch (event.kind) {
    case StreamEvent::Kind::update:
      merge(event.update);
      break;
    case StreamEvent::Kind::turn_end:
      if (event.turn.role == Role::assistant) merge(event.update);
      ended_ = event.turn;
      break;
    case StreamEvent::Kind::error:
      if (status_.ok()) status_ = event.status;
      break;
    case StreamEvent::Kind::overdue:
      break;
  }
}

/// One change behind another is one change.
void LiveStream::merge(const StreamUpdate& update) {
  if (update.first <= first_) {
    first_ = update.first;
    tokens_ = update.tokens;
  } else {
    tokens_.resize(std::min(update.first - first_, tokens_.size()));
    tokens_.insert(tokens_.end(), update.tokens.begin(), update.tokens.end());
  }
  n_verdicts_ = first_ + tokens_.size();
  n_settled_ = update.n_settled;
}

void LiveStream::finish(StreamBatch& batch) {
  const Waiting step = std::move(steps_.front());
  steps_.pop_front();
  is_under_way_ = false;
  if (!step.done) return begin_next(batch);
  if (!status_.ok()) {
    look_where_it_stands(batch);
    step.done(status_.error());
  } else {
    StreamOutcome outcome;
    if (step.step.prompt) {
      outcome.role = Role::user;
      outcome.has_ended = true;
      outcome.text = *step.step.prompt;
    } else {
      outcome.role = role_;
      outcome.has_ended = ended_.has_value();
      if (outcome.has_ended) outcome.text = text_;
    }
    if (ended_) {
      outcome.decision = ended_->decision;
    } else {
      const Status visited =
          batch.visit(id_, [&](const StreamSession& session) { outcome.decision = session.decision(); });
      static_cast<void>(visited);  // without a session nothing was judged, and the decision says so
    }
    outcome.json = outcome_json(outcome.decision);
    outcome.prompt_json = prompt_json();
    step.done(std::move(outcome));
  }
  begin_next(batch);
}

void LiveStream::begin_next(StreamBatch& batch) {
  if (!steps_.empty() && is_open_) begin(batch);
}

/// What failed has left the session as it was before.
void LiveStream::look_where_it_stands(StreamBatch& batch) {
  const Status visited = batch.visit(id_, [&](const StreamSession& session) {
    const StreamMark mark = session.mark();
    has_turn_ = mark.turn > 0 && !mark.is_closed;
    text_.resize(std::min(text_.size(), static_cast<std::size_t>(session.turn_bytes())));
    n_verdicts_ = session.n_verdicts();
    n_settled_ = std::min(n_settled_, n_verdicts_);
  });
  static_cast<void>(visited);
}

std::string LiveStream::outcome_json(const Decision& decision) const {
  wire::JsonOut json;
  const bool is_prompt = ended_ && ended_->role == Role::user;
  json.begin_object();
  json.key("role").string(to_string(ended_ ? ended_->role : role_));
  json.key("turn").integer(is_prompt && has_turn_ ? n_turns_ - 1 : n_turns_);
  if (is_prompt) {
    json.key("prompt").raw(prompt_json());
  } else {
    put_tokens(json);
  }
  json.key("decision").begin_object();
  wire::put_decision_fields(json, decision, decision.token ? &*decision.token : nullptr);
  json.key("settled").boolean(decision.is_settled);
  json.end_object();
  json.key("ended").boolean(ended_.has_value());
  json.end_object();
  const std::string& text = json.text();
  return text.substr(1, text.size() - 2);
}

void LiveStream::put_tokens(wire::JsonOut& json) const {
  json.key("first").integer(static_cast<std::int64_t>(first_));
  json.key("tokens").begin_array();
  TokenTexts texts(text_, tokens_.empty() ? 0 : tokens_.front().byte_begin);
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    // What comes later settles tokens without saying so again.
    const bool is_settled = tokens_[i].is_settled || first_ + i < n_settled_;
    put_token(json, role_, tokens_[i], texts.next(tokens_[i].byte_end), is_settled);
  }
  json.end_array();
  json.key("n_settled").integer(static_cast<std::int64_t>(n_settled_));
}

/// The verdict on a user's turn, which is one for the whole; null where there is none.
std::string LiveStream::prompt_json() const {
  if (!ended_ || !ended_->prompt) return "null";
  wire::JsonOut json;
  put_token(json, Role::user, *ended_->prompt, "", true);
  return json.text();
}

StreamOutcome LiveStream::close(StreamBatch& batch) {
  StreamOutcome outcome;
  if (!std::exchange(is_open_, false)) return outcome;
  const Status visited =
      batch.visit(id_, [&](const StreamSession& session) { outcome.decision = session.decision(); });
  const Status removed = batch.remove(id_);
  static_cast<void>(visited);
  static_cast<void>(removed);
  outcome.role = role_;
  if (has_turn_) outcome.text = std::move(text_);
  is_under_way_ = false;
  for (const Waiting& step : std::exchange(steps_, {})) {
    if (step.done) step.done(Error{ErrorCode::invalid_argument, "the stream was closed"});
  }
  return outcome;
}

}  // namespace qwen3guard::server

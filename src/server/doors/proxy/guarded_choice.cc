// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/guarded_choice.hpp"

#include <utility>

namespace qwen3guard::server {
namespace {

/// Each ends a turn, which is judged once more in its final form: an upstream that changes between channels
/// with every word would cost the square of its words.
constexpr std::size_t kMaxRuns = 512;

}  // namespace

GuardEvent GuardedChoice::event(GuardEvent::Kind kind, const Channel& channel) const {
  GuardEvent out;
  out.kind = kind;
  out.choice = index_;
  out.channel = channel;
  return out;
}

void GuardedChoice::take(ChoicePiece piece) {
  if (is_over_) return;
  for (Part& part : piece.parts) add(std::move(part));
  if (piece.finish_reason.empty() || std::exchange(has_ended_, true)) return;
  for (auto& [channel, guarded] : channels_) add_text(channel, guarded.arguments.end());
}

void GuardedChoice::add(Part part) {
  const Channel channel = part.channel;
  Guarded& guarded = channels_.try_emplace(channel, setup_).first->second;
  add_text(channel, channel.is_call() ? call_text(guarded, std::move(part)) : part.text);
}

void GuardedChoice::add_text(const Channel& channel, const std::string& text) {
  if (text.empty()) return;
  if (runs_.empty() || runs_.back().channel != channel) {
    runs_.push_back({channel, ""});
    if (++n_runs_ > kMaxRuns) error_ = "the upstream changes too often between what it writes";
  }
  waiting_bytes_ += text.size();
  runs_.back().text += text;
}

/// Some servers repeat the name with every piece; another one would be another call's.
std::string GuardedChoice::call_text(Guarded& call, Part part) {
  if (call.call_id.empty()) call.call_id = std::move(part.call_id);
  std::string text;
  if (call.name.empty()) {
    text = call.name = std::move(part.name);
  } else if (!part.name.empty() && part.name != call.name) {
    error_ = "the upstream changed the name of a call";
  }
  if (part.text.empty()) return text;
  if (call.name.empty()) error_ = "the upstream sent a call without a name";
  if (!std::exchange(call.has_arguments, true)) text += '\n';
  return text += call.arguments.take(part.text);
}

void GuardedChoice::step(StreamBatch& batch, StreamId prompt, GuardEvents& events) {
  while (!is_over_) {
    if (!error_.empty()) return fail(batch, {}, {ErrorCode::invalid_argument, error_}, events);
    if (runs_.empty()) {
      if (has_ended_) end(batch, events);
      return;
    }
    Run& run = runs_.front();
    const Channel channel = run.channel;
    Guarded& guarded = channels_.at(channel);
    const std::size_t n_before = run.text.size();
    const bool ends = has_ended_ || runs_.size() > 1;
    GuardedChannel::Step step = guarded.channel.step(batch, prompt, run.text, ends);
    waiting_bytes_ -= n_before - run.text.size();
    const bool has_ended = step.state == GuardedChannel::State::ended;
    show(channel, guarded, std::move(step.text), has_ended, events);
    switch (step.state) {
      case GuardedChannel::State::waits:
        return;
      case GuardedChannel::State::ended:
        runs_.pop_front();
        break;
      case GuardedChannel::State::blocked:
        return block(batch, channel, guarded.channel, events);
      case GuardedChannel::State::unjudged:
        return fail(batch, channel, std::move(step.error), events);
    }
  }
}

/// What the channel lets out. A call's name goes out whole.
void GuardedChoice::show(const Channel& channel, Guarded& guarded, std::string text, bool has_ended,
                         GuardEvents& events) {
  using Kind = GuardEvent::Kind;
  if (channel.is_call() && !guarded.has_shown_name) {
    // The name as it came out so far stands in front.
    guarded.name_out += text;
    const std::size_t end = guarded.name_out.find('\n');
    if (end == std::string::npos && !has_ended) return;
    GuardEvent out = event(Kind::call, channel);
    out.text = guarded.name_out.substr(0, end);
    out.call_id = guarded.call_id;
    text = end == std::string::npos ? "" : guarded.name_out.substr(end);
    guarded.name_out.clear();
    guarded.has_shown_name = true;
    events.push_back(std::move(out));
  }
  // The line break behind a name is no part of the arguments.
  if (channel.is_call() && !text.empty() && !std::exchange(guarded.has_shown_break, true)) text.erase(0, 1);
  if (text.empty()) return;
  GuardEvent out = event(Kind::text, channel);
  out.text = std::move(text);
  events.push_back(std::move(out));
}

/// What the channels came to, but for one that was not judged.
void GuardedChoice::report(const Channel* unjudged, GuardEvents& events) const {
  for (const auto& [channel, guarded] : channels_) {
    if (!guarded.channel.is_judged() || (unjudged != nullptr && channel == *unjudged)) continue;
    GuardEvent out = event(GuardEvent::Kind::judged, channel);
    out.severity = guarded.channel.decision().severity;
    out.ruling = guarded.channel.decision().ruling;
    out.is_blocked = guarded.channel.is_blocked();
    out.text = guarded.channel.text();
    events.push_back(std::move(out));
  }
}

void GuardedChoice::end(StreamBatch& batch, GuardEvents& events) {
  report(nullptr, events);
  events.push_back(event(GuardEvent::Kind::finished, {}));
  close(batch);
}

void GuardedChoice::block(StreamBatch& batch, const Channel& channel, const GuardedChannel& guarded,
                          GuardEvents& events) {
  report(nullptr, events);
  GuardEvent out = event(GuardEvent::Kind::blocked, channel);
  out.severity = guarded.decision().severity;
  out.ruling = guarded.decision().ruling;
  events.push_back(std::move(out));
  close(batch);
}

void GuardedChoice::fail(StreamBatch& batch, const Channel& channel, Error error, GuardEvents& events) {
  report(&channel, events);
  GuardEvent out = event(GuardEvent::Kind::unjudged, channel);
  const auto found = channels_.find(channel);
  if (found != channels_.end()) out.text = found->second.channel.text();
  out.error = error;
  events.push_back(std::move(out));
  GuardEvent end =
      event(setup_.blocks_unjudged ? GuardEvent::Kind::blocked : GuardEvent::Kind::failed, channel);
  end.ruling = rule_unjudged(setup_.stream.policy);
  end.error = std::move(error);
  events.push_back(std::move(end));
  close(batch);
}

void GuardedChoice::close(StreamBatch& batch) {
  is_over_ = true;
  for (auto& [channel, guarded] : channels_) guarded.channel.close(batch);
  runs_.clear();
  waiting_bytes_ = 0;
}

}  // namespace qwen3guard::server

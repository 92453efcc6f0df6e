// SPDX-License-Identifier: Apache-2.0
// The side of the hosts: queues, events, accounts.
#include "qwen3guard/stream_batch.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "guard/batch/stream_batch_impl.hpp"
#include "guard/conversation/tool_messages.hpp"
#include "util/error.hpp"
#include "util/exceptions.hpp"
#include "util/guarded.hpp"
#include "util/rollback.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard {
namespace {

using TimePoint = StreamBatch::Impl::TimePoint;
using Op = StreamBatch::Impl::Op;

/// Small pieces of one text are judged together when they wait together.
constexpr std::size_t kJoinBytes = 1024;
/// Of an event and of a judged token beside the cache, with room for growing vectors.
constexpr std::size_t kTokenBytes = 2 * (sizeof(detail::TurnToken) + 64);

/// Without the parts of characters that a piece of UTF-8, cut anywhere, begins and ends with.
std::string_view whole_characters(std::string_view piece) noexcept {
  constexpr std::size_t kMaxContinuations = 3;
  const auto is_ascii = [](char byte) { return (static_cast<unsigned char>(byte) & 0x80U) == 0; };
  const auto is_continuation = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; };
  for (std::size_t n = 0; n < kMaxContinuations && !piece.empty() && is_continuation(piece.front()); ++n)
    piece.remove_prefix(1);
  for (std::size_t n = 0; n < kMaxContinuations && !piece.empty() && is_continuation(piece.back()); ++n)
    piece.remove_suffix(1);
  if (!piece.empty() && !is_ascii(piece.back())) piece.remove_suffix(1);
  return piece;
}

Error no_session(StreamId id) {
  return detail::error(ErrorCode::invalid_argument, "stream batch: no session ", id);
}

/// It would wait for itself.
Error is_visiting(const char* what, StreamId id) {
  return detail::error(ErrorCode::invalid_argument, "stream batch: ", what, " of session ", id,
                       " within a visit of it");
}

TimePoint after_ms(TimePoint time, double ms) {
  constexpr double kLongest_ms = 1e12;
  return time + std::chrono::duration_cast<TimePoint::duration>(
                    std::chrono::duration<double, std::milli>(std::clamp(ms, 0.0, kLongest_ms)));
}

Status check_batch_options(const StreamBatchOptions& options) {
  const auto bad = [](const char* name, const char* expected) {
    return detail::error(ErrorCode::invalid_argument, "options.", name, ": expected ", expected);
  };
  if (options.max_step_tokens < 1 || options.max_step_tokens > 4096)
    return bad("max_step_tokens", "1 to 4096");
  if (options.max_session_tokens < 1 || options.max_session_tokens > options.max_step_tokens)
    return bad("max_session_tokens", "1 to max_step_tokens");
  if (!(options.default_deadline_ms >= 0)) return bad("default_deadline_ms", "0 or more");
  if (options.max_waiting_bytes < 1) return bad("max_waiting_bytes", "1 or more");
  return {};
}

}  // namespace

StreamBatch::Impl::Entry* StreamBatch::Impl::find(StreamId id) noexcept {
  const auto found = entries_.find(id);
  return found == entries_.end() || found->second->is_leaving ? nullptr : found->second.get();
}

Result<StreamId> StreamBatch::Impl::add(StreamSession&& session) {
  if (detail::HeadStream* heads = session.impl_->heads();
      heads != nullptr && heads->guard().model_ptr() != shared_->model_ptr()) {
    return Error{ErrorCode::invalid_argument, "stream batch: the session is not one of this guard's"};
  }
  const std::size_t held = session.memory_bytes();
  const std::lock_guard lock(mutex_);
  if (options_.memory_budget_bytes > 0 && used_bytes_ + held > options_.memory_budget_bytes) {
    return detail::error(ErrorCode::budget_exceeded, "stream batch: a session of ", held,
                         " bytes; in use are ", used_bytes_, " of ", options_.memory_budget_bytes);
  }
  const StreamId id = next_id_;
  const auto place = entries_.try_emplace(id).first;
  detail::Rollback emplaced([&] { entries_.erase(place); });
  place->second = std::make_unique<Entry>(id, std::move(session));
  emplaced.keep();
  place->second->held_bytes = place->second->charged_bytes = held;
  ++next_id_;
  used_bytes_ += held;
  return id;
}

Result<StreamId> StreamBatch::Impl::add(const StreamOptions& options) {
  Q3G_ASSIGN(StreamSession session, guard_.open_stream(options));
  return add(std::move(session));
}

Status StreamBatch::Impl::remove(StreamId id) {
  std::unique_lock lock(mutex_);
  Entry* entry = find(id);
  if (entry == nullptr) return no_session(id);
  if (entry->visitor == detail::this_thread_id()) return is_visiting("remove", id);
  // From here on nobody finds it but who has it already, and no step takes it up again.
  entry->is_leaving = true;
  unset_ready(*entry);
  changed_.notify_all();
  changed_.wait(lock, [&] { return !entry->is_busy; });
  used_bytes_ -= entry->charged_bytes;
  const auto found = entries_.find(id);
  const std::unique_ptr<Entry> dead = std::move(found->second);
  entries_.erase(found);
  lock.unlock();  // the memory is given back without the mutex
  changed_.notify_all();
  return {};
}

/// Tokens that judging an operation adds at most, up to those by which text that joins what is there may be
/// cut in more: its bytes, and of a long text its tokens where memory is bounded, as a byte is a quarter of
/// one in most languages.
std::size_t StreamBatch::Impl::count_tokens(const Op& op) const {
  constexpr std::size_t kMarkupTokens = 16, kShortBytes = 256, kBlockBytes = std::size_t{16} << 10;
  const std::size_t most = std::max(op.text.size(), op.ids.size()) + kMarkupTokens;
  const auto* tokenizer = guard_.tokenizer();
  if (options_.memory_budget_bytes == 0 || tokenizer == nullptr || op.text.size() <= kShortBytes ||
      op.text.size() > options_.max_waiting_bytes)
    return most;
  // More than two contexts make no difference to what is reserved.
  const auto limit = 2 * static_cast<std::size_t>(shared_->model().config().max_position_embeddings);
  std::size_t n = kMarkupTokens;
  std::vector<TokenId> ids;
  for (std::string_view rest = op.text; !rest.empty() && n < limit;) {
    const std::string_view block = rest.substr(0, kBlockBytes);
    rest.remove_prefix(block.size());
    const std::string_view whole = whole_characters(block);
    ids.clear();
    if (!tokenizer->encode_to(whole, SpecialTokens::as_text, ids).ok()) return most;
    n += ids.size() + (block.size() - whole.size()) + 1;
  }
  return std::min(most, n);
}

/// Caches that grow with a text: where the context slides a window fills beside the old one, and a Gen
/// checkpoint reads what it judges in a cache of its own.
std::size_t StreamBatch::Impl::count_caches(Entry& entry) noexcept {
  const detail::HeadStream* heads = entry.session.impl_->heads();
  return heads != nullptr && !heads->slides() ? 1 : 2;
}

/// The most that so many tokens, and an operation's text, add to what a session holds, but for pages that are
/// not full.
std::size_t StreamBatch::Impl::reserve_for(std::size_t n_tokens, std::size_t n_text_bytes,
                                           Entry& entry) const noexcept {
  const std::size_t n_most = std::min(n_tokens, 2 * static_cast<std::size_t>(entry.session.max_tokens()));
  return n_most * (count_caches(entry) * bytes_per_token() + kTokenBytes) + 2 * n_text_bytes;
}

/// While anything waits: a page that is copied, and one that is begun, in each cache.
std::size_t StreamBatch::Impl::reserve_for_pages(Entry& entry) const noexcept {
  return 2 * count_caches(entry) * detail::kKvPageTokens * bytes_per_token();
}

std::size_t StreamBatch::Impl::bytes_per_token() const noexcept {
  return static_cast<std::size_t>(
      detail::KvCache::bytes_per_token(shared_->model().config(), shared_->model().kv_type()));
}

void StreamBatch::Impl::set_ready(Entry& entry) {
  if (entry.is_busy || entry.is_ready || entry.is_leaving || entry.n_claims > 0 || !is_waiting(entry)) return;
  const std::pair key(entry.due, entry.id);
  if (entry.ready_node.empty()) {
    ready_.insert(key);
  } else {  // does not throw
    entry.ready_node.value() = key;
    ready_.insert(std::move(entry.ready_node));
  }
  entry.is_ready = true;
}

void StreamBatch::Impl::unset_ready(Entry& entry) noexcept {
  if (entry.is_ready) entry.ready_node = ready_.extract({entry.due, entry.id});
  entry.is_ready = false;
}

void StreamBatch::Impl::settle_account(Entry& entry) noexcept {
  const std::size_t pages = entry.reserved_bytes > 0 ? reserve_for_pages(entry) : 0;
  const std::size_t now = entry.held_bytes + entry.reserved_bytes + pages + entry.event_bytes;
  used_bytes_ += now;
  used_bytes_ -= entry.charged_bytes;
  entry.charged_bytes = now;
}

Status StreamBatch::Impl::push(StreamId id, std::vector<Op> ops, double deadline_ms) {
  Times times;
  times.pushed = times.urgent_pushed = time_->now();
  times.deadline = after_ms(times.pushed, deadline_ms >= 0 ? deadline_ms : options_.default_deadline_ms);
  times.urgent_deadline = times.overdue = times.last_deadline = times.deadline;
  if (ops.size() == 1 && !ops[0].is_judged()) times.urgent_deadline = Times::kNever;
  std::vector<std::size_t> n_tokens;  // before the lock, as it takes time
  n_tokens.reserve(ops.size());
  for (const Op& op : ops) n_tokens.push_back(count_tokens(op));
  const std::lock_guard lock(mutex_);
  Entry* entry = find(id);
  if (entry == nullptr) return no_session(id);
  std::size_t n_bytes = 0, n_reserved = 0;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    Op& op = ops[i];
    op.times = times;
    if (!op.is_judged()) op.times.deadline = Times::kNever;
    if (!op.has_verdict()) op.times.overdue = op.times.last_deadline = Times::kNever;
    op.reserved_bytes = reserve_for(n_tokens[i], op.text.size(), *entry);
    n_bytes += op.text.size() + op.ids.size() * sizeof(TokenId);
    n_reserved += op.reserved_bytes;
  }
  if (entry->queued_bytes + n_bytes > options_.max_waiting_bytes) {
    return detail::error(ErrorCode::budget_exceeded, "stream batch: ", n_bytes, " bytes more wait; ",
                         entry->queued_bytes, " of ", options_.max_waiting_bytes, " do already");
  }
  // Text that joins a piece that waits needs nothing but its own tokens.
  Op* last = entry->queue.empty() ? nullptr : &entry->queue.back();
  const bool joins = ops.size() == 1 && ops[0].kind == Op::Kind::text && last != nullptr &&
                     last->kind == Op::Kind::text && last->group == 0 &&
                     last->text.size() + ops[0].text.size() <= kJoinBytes;
  if (joins) {
    Op both;
    both.text = last->text + ops[0].text;
    const std::size_t needed = reserve_for(count_tokens(both), both.text.size(), *entry);
    n_reserved = needed - std::min(needed, last->reserved_bytes);
  }
  const std::size_t pages = reserve_for_pages(*entry);
  if (options_.memory_budget_bytes > 0 &&
      entry->held_bytes + n_reserved + pages > options_.memory_budget_bytes) {
    // Nothing that other sessions give back makes room for it.
    return detail::error(ErrorCode::context_full, "stream batch: the session may come to hold ",
                         entry->held_bytes + n_reserved + pages, " bytes; all of them may hold ",
                         options_.memory_budget_bytes);
  }
  if (entry->reserved_bytes == 0) n_reserved += pages;
  if (options_.memory_budget_bytes > 0 && used_bytes_ + n_reserved > options_.memory_budget_bytes) {
    return detail::error(ErrorCode::budget_exceeded, "stream batch: up to ", n_reserved,
                         " bytes are needed; in use are ", used_bytes_, " of ", options_.memory_budget_bytes);
  }
  const std::size_t n_before = entry->queue.size() - (joins ? 1 : 0);
  if (joins) {
    last->text += ops[0].text;
    last->reserved_bytes += n_reserved;
    last->times.join(times);
  } else {
    queue_ops(*entry, ops);
  }
  hurry(*entry, n_before, times);
  entry->queued_bytes += n_bytes;
  if (entry->reserved_bytes == 0) n_reserved -= pages;  // settle_account() adds them
  entry->reserved_bytes += n_reserved;
  settle_account(*entry);
  changed_.notify_all();
  return {};
}

Status StreamBatch::Impl::push_prompt(StreamId id, std::string_view prompt, double deadline_ms) {
  std::vector<Op> ops(4);
  ops[0].kind = Op::Kind::begin_turn;
  ops[1].text = prompt;
  ops[2].kind = Op::Kind::end_turn;
  ops[3].kind = Op::Kind::begin_turn;
  ops[3].role = Role::assistant;
  {
    const std::lock_guard lock(mutex_);
    for (Op& op : ops) op.group = next_group_;
    ++next_group_;
  }
  return push(id, std::move(ops), deadline_ms);
}

Result<std::vector<StreamEvent>> StreamBatch::Impl::poll(StreamId id, double timeout_ms) {
  using Clock = std::chrono::steady_clock;  // of the caller's patience
  std::unique_lock lock(mutex_);
  const auto end = after_ms(Clock::now(), timeout_ms);
  for (;;) {
    Entry* entry = find(id);
    if (entry == nullptr) return no_session(id);
    announce(*entry);
    if (!entry->events.empty() || entry->has_lost_events || !is_waiting(*entry) ||
        entry->visitor == detail::this_thread_id() || timeout_ms <= 0 || Clock::now() >= end ||
        Q3G_HAS_THREADS == 0) {  // nobody could step meanwhile
      return take_events(*entry);
    }
    const TimePoint next = next_announcement(*entry);
    changed_.wait_until(lock,
                        next == Times::kNever ? end : std::min(end, Clock::now() + (next - time_->now())));
  }
}

Result<bool> StreamBatch::Impl::is_waiting(StreamId id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second->is_leaving) return no_session(id);
  return is_waiting(*found->second);
}

std::vector<StreamEvent> StreamBatch::Impl::take_events(Entry& entry) {
  if (entry.has_lost_events) {
    StreamEvent lost;
    lost.kind = StreamEvent::Kind::error;
    lost.status = Error{ErrorCode::out_of_memory, "stream batch: an event was lost for lack of memory"};
    entry.events.push_back(std::move(lost));
    entry.has_lost_events = false;
  }
  entry.event_bytes = 0;
  settle_account(entry);
  return std::exchange(entry.events, {});
}

Status StreamBatch::Impl::visit(StreamId id, const std::function<bool(StreamSession&)>& visit) {
  std::unique_lock lock(mutex_);
  Entry* entry = find(id);
  if (entry == nullptr) return no_session(id);
  if (entry->visitor == detail::this_thread_id()) return is_visiting("visit", id);
  ++entry->n_claims;
  changed_.wait(lock, [&] { return (entry = find(id)) == nullptr || !entry->is_busy; });
  if (entry == nullptr) return no_session(id);
  --entry->n_claims;
  entry->is_busy = true;
  entry->visitor = detail::this_thread_id();
  unset_ready(*entry);
  lock.unlock();
  // A long text that is judged by parts is brought to its end: no session is seen in between.
  if (entry->feed) {
    detail::HeadStream::run_feeds(*shared_, {&*entry->feed, 1});
    finish(*entry);
    entry->n_new_rows = 1;
  }
  bool drops_waiting = false;
  const StreamMark before = entry->session.mark();
  const detail::Rollback given_back([&] {
    // What failed is of no account in another turn, or where the host has gone back.
    const StreamMark after = entry->session.mark();
    if (after.turn != before.turn || after.n_units < before.n_units) entry->gap_byte.reset();
    entry->session_bytes = entry->session.memory_bytes();
    lock.lock();
    entry->visitor = {};
    if (drops_waiting) drop_last_turn(*entry);
    release(*entry);
    changed_.notify_all();
  });
  drops_waiting = visit(entry->session);
  return {};
}

Status StreamBatch::Impl::start() {
  const std::lock_guard lock(mutex_);
  if (thread_ != nullptr) return Error{ErrorCode::invalid_argument, "stream batch: its thread runs already"};
  Q3G_ASSIGN(thread_, detail::start_own_thread("stream batch", [this, number = thread_number_] {
               for (;;) {
                 {
                   std::unique_lock wait(mutex_);
                   if (has_no_memory_)  // does not spin until there is some
                     changed_.wait_for(wait, std::chrono::milliseconds(10),
                                       [&] { return thread_number_ != number; });
                   changed_.wait(wait, [&] { return thread_number_ != number || !ready_.empty(); });
                   if (thread_number_ != number) return;
                 }
                 run_once();
               }
             }));
  thread_process_ = detail::process_id();
  return {};
}

void StreamBatch::Impl::stop() noexcept {
  std::unique_ptr<detail::OwnThread> thread;
  bool is_elsewhere = false;
  {
    const std::lock_guard lock(mutex_);
    ++thread_number_;
    thread = std::move(thread_);
    is_elsewhere = is_thread_elsewhere();
  }
  changed_.notify_all();
  if (thread == nullptr) return;
  if (is_elsewhere) {
    static_cast<void>(thread.release());
    return;
  }
  thread->join();
  const std::lock_guard lock(mutex_);
  if (thread_ == nullptr) thread_process_ = 0;  // another start() may have been faster
}

StreamBatchStats StreamBatch::Impl::stats() const {
  const std::lock_guard lock(mutex_);
  StreamBatchStats out;
  out.n_sessions = entries_.size();
  const TimePoint now = time_->now();
  for (const auto& [id, entry] : entries_) {
    out.n_waiting_sessions += is_waiting(*entry) ? 1 : 0;
    out.n_overdue_sessions += is_overdue(*entry, now) ? 1 : 0;
    if (const Times* oldest = oldest_of(*entry)) {
      out.oldest_waiting_ms = std::max(
          out.oldest_waiting_ms, std::chrono::duration<double, std::milli>(now - oldest->pushed).count());
    }
  }
  out.memory_bytes = used_bytes_;
  out.n_steps = n_steps_;
  out.n_tokens = n_tokens_;
  out.n_late = n_late_;
  return out;
}

Result<StreamBatch> StreamBatch::Impl::open(const Guard& guard, const StreamBatchOptions& options,
                                            std::shared_ptr<detail::TimeSource> time) {
  Q3G_TRY(check_batch_options(options));
  return StreamBatch(std::make_unique<Impl>(guard, guard.impl_, options, std::move(time)));
}

StreamBatch::StreamBatch(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
StreamBatch::StreamBatch(StreamBatch&&) noexcept = default;
StreamBatch& StreamBatch::operator=(StreamBatch&& other) noexcept {
  std::swap(impl_, other.impl_);
  return *this;
}
StreamBatch::~StreamBatch() {
  // The child of a fork() gives the batch up: what its thread waited for cannot be destroyed there.
  if (impl_ != nullptr && impl_->is_thread_elsewhere()) static_cast<void>(impl_.release());
}

Result<StreamBatch> StreamBatch::open(const Guard& guard, const StreamBatchOptions& options) {
  return detail::guarded("stream batch",
                         [&] { return Impl::open(guard, options, std::make_shared<detail::TimeSource>()); });
}

Result<StreamId> StreamBatch::add(const StreamOptions& options) {
  return detail::guarded("stream batch", [&] { return impl_->add(options); });
}
Result<StreamId> StreamBatch::add(StreamSession&& session) {
  return detail::guarded("stream batch", [&] { return impl_->add(std::move(session)); });
}
Status StreamBatch::remove(StreamId id) {
  return detail::guarded("stream batch", [&] { return impl_->remove(id); });
}
Status StreamBatch::push_prompt(StreamId id, std::string_view prompt, double deadline_ms) {
  return detail::guarded("stream batch", [&] { return impl_->push_prompt(id, prompt, deadline_ms); });
}
Status StreamBatch::begin_turn(StreamId id, Role role) {
  return detail::guarded("stream batch", [&]() -> Status {
    Q3G_TRY(detail::check_live_role(role));
    std::vector<Op> ops(1);
    ops[0].kind = Op::Kind::begin_turn;
    ops[0].role = role;
    return impl_->push(id, std::move(ops), -1);
  });
}
Status StreamBatch::push_text(StreamId id, std::string_view bytes, double deadline_ms) {
  return detail::guarded("stream batch", [&] {
    std::vector<Op> ops(1);
    ops[0].text = bytes;
    return impl_->push(id, std::move(ops), deadline_ms);
  });
}
Status StreamBatch::push_tokens(StreamId id, std::span<const TokenId> ids, double deadline_ms) {
  return detail::guarded("stream batch", [&] {
    std::vector<Op> ops(1);
    ops[0].kind = Op::Kind::tokens;
    ops[0].ids.assign(ids.begin(), ids.end());
    return impl_->push(id, std::move(ops), deadline_ms);
  });
}
Status StreamBatch::end_turn(StreamId id, double deadline_ms) {
  return detail::guarded("stream batch", [&] {
    std::vector<Op> ops(1);
    ops[0].kind = Op::Kind::end_turn;
    return impl_->push(id, std::move(ops), deadline_ms);
  });
}
Result<std::vector<StreamEvent>> StreamBatch::poll(StreamId id) {
  return detail::guarded("stream batch", [&] { return impl_->poll(id, 0); });
}
Result<std::vector<StreamEvent>> StreamBatch::wait(StreamId id, double timeout_ms) {
  return detail::guarded("stream batch", [&] { return impl_->poll(id, timeout_ms); });
}
Result<bool> StreamBatch::is_waiting(StreamId id) const {
  return detail::guarded("stream batch", [&] { return impl_->is_waiting(id); });
}
Status StreamBatch::visit(StreamId id, const std::function<void(StreamSession&)>& visit) {
  return impl_->visit(id, [&](StreamSession& session) { return visit(session), false; });
}
std::size_t StreamBatch::step(double budget_ms, bool must_run) { return impl_->step(budget_ms, must_run); }
Status StreamBatch::start() {
  return detail::guarded("stream batch", [&] { return impl_->start(); });
}
void StreamBatch::stop() noexcept { impl_->stop(); }
StreamBatchStats StreamBatch::stats() const { return impl_->stats(); }

}  // namespace qwen3guard

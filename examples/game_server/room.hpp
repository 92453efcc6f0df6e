// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_EXAMPLES_GAME_SERVER_ROOM_HPP
#define QWEN3GUARD_EXAMPLES_GAME_SERVER_ROOM_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <qwen3guard/qwen3guard.hpp>
#include <random>
#include <string>

namespace game_server {

/// One chat room: players write lines, and a character of the game answers, a few letters at a time, as a
/// language model would. What is said in what order depends on the seed only.
class Room {
 public:
  Room(qwen3guard::StreamId id, std::uint32_t seed) : id_(id), random_(seed), next_ms_(below(3000)) {}

  /// Pushes what is said up to `now_ms`; less when too much waits. Returns what went wrong, if anything did.
  [[nodiscard]] qwen3guard::Status talk(qwen3guard::StreamBatch& batch, double now_ms);

  /// Takes what the guard found out, or that it is late: then what was said is held back until it has.
  void take(const qwen3guard::StreamEvent& event);

  [[nodiscard]] qwen3guard::StreamId id() const noexcept { return id_; }
  [[nodiscard]] std::size_t n_flagged_lines() const noexcept { return n_flagged_lines_; }
  [[nodiscard]] std::size_t n_flagged_answers() const noexcept { return n_flagged_answers_; }
  /// Times that something was held back, and whether something is now. @{
  [[nodiscard]] std::size_t n_holds() const noexcept { return n_holds_; }
  [[nodiscard]] bool is_held() const noexcept { return is_held_; }
  /// @}

 private:
  [[nodiscard]] qwen3guard::Status say_next(qwen3guard::StreamBatch& batch);
  [[nodiscard]] double below(int n) { return static_cast<double>(random_() % static_cast<std::uint32_t>(n)); }

  qwen3guard::StreamId id_;
  std::mt19937 random_;
  double next_ms_;      // when the next thing is said
  std::string answer_;  // what the character has still to say
  bool is_answering_ = false;
  bool is_held_ = false;
  std::size_t n_flagged_lines_ = 0, n_flagged_answers_ = 0, n_holds_ = 0;
};

}  // namespace game_server

#endif  // QWEN3GUARD_EXAMPLES_GAME_SERVER_ROOM_HPP

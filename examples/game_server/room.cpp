// SPDX-License-Identifier: Apache-2.0
#include "room.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace game_server {
namespace {

using qwen3guard::ErrorCode;
using qwen3guard::Status;
using qwen3guard::StreamBatch;
using qwen3guard::StreamEvent;

constexpr std::array<std::string_view, 8> kLines = {
    "Is the bridge to the old mill still open?",
    "gg everyone, one more round?",
    "Where do I find the blacksmith?",
    "You are all idiots and I hope your houses burn down.",
    "\xC2\xBF"
    "D\xC3\xB3nde est\xC3\xA1 el castillo?",
    "I need a healer for the north gate.",
    "Sell me your sword, old man!",
    "\xE4\xBD\xA0\xE5\xA5\xBD\xEF\xBC\x8C\xE6\x9C\x89\xE4\xBA\xBA\xE5\x90\x97\xEF\xBC\x9F",
};
constexpr std::array<std::string_view, 5> kAnswers = {
    "Well met, traveller. The bridge fell last winter, but the ferryman will take you across for two "
    "coppers.",
    "Ha! This blade was forged before your grandfather was born, and it is not for sale.",
    "Ask at the sign of the three crows; she has mended every kettle between here and the sea.",
    "The road north is quiet by day. By night I would rather stay by the fire with a bowl of soup.",
    "Only an ugly idiot like you would ask that, nobody likes you, go away.",
};

/// Letters that a character says in a tenth of a second or so, and how long that takes.
constexpr std::size_t kPieceBytes = 12;
constexpr double kPiece_ms = 120;
/// A player sees a line a moment after it was written; a character's words run ahead of the sound.
constexpr double kLineDeadline_ms = 100, kAnswerDeadline_ms = 50;

}  // namespace

Status Room::say_next(StreamBatch& batch) {
  if (!is_answering_) {
    const std::string_view line = kLines[static_cast<std::size_t>(below(kLines.size()))];
    if (Status status = batch.push_prompt(id_, line, kLineDeadline_ms); !status.ok()) return status;
    answer_ = kAnswers[static_cast<std::size_t>(below(kAnswers.size()))];
    is_answering_ = true;
    next_ms_ += 300 + below(500);
  } else if (!answer_.empty()) {
    const std::string piece = answer_.substr(0, kPieceBytes);
    if (Status status = batch.push_text(id_, piece, kAnswerDeadline_ms); !status.ok()) return status;
    answer_.erase(0, piece.size());
    next_ms_ += kPiece_ms;
  } else {
    if (Status status = batch.end_turn(id_, kAnswerDeadline_ms); !status.ok()) return status;
    is_answering_ = false;
    next_ms_ += 500 + below(4000);
  }
  return {};
}

Status Room::talk(StreamBatch& batch, double now_ms) {
  while (next_ms_ <= now_ms) {
    Status status = say_next(batch);
    if (status.ok()) continue;
    // So much waits already that no more is taken: the room is silent until some of it is judged.
    if (status.error().code == ErrorCode::budget_exceeded) return {};
    return status;
  }
  return {};
}

void Room::take(const StreamEvent& event) {
  event.status.throw_if_error();
  if (event.kind == StreamEvent::Kind::overdue) {
    // Nobody knows yet what was said: the room does not hear it before the verdict is there.
    if (!is_held_) ++n_holds_;
    is_held_ = true;
    return;
  }
  is_held_ = false;
  if (event.kind == StreamEvent::Kind::turn_end) {
    if (event.turn.prompt && event.turn.prompt->action == qwen3guard::Action::block) ++n_flagged_lines_;
    if (event.turn.decision.action == qwen3guard::Action::block) ++n_flagged_answers_;
  }
}

}  // namespace game_server

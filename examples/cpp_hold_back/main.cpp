// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <qwen3guard/qwen3guard.hpp>
#include <string>

int main() {
  using namespace qwen3guard;
  // What the host's model writes: at first, and when it is asked to go on from an earlier place.
  const std::string begin =
      "It smells lovely, and the table looks great. Serve it warm with a little butter. ";
  const std::string tries[] = {begin + "Only an ugly idiot like you would eat it, somebody should burn you.",
                               begin + "Enjoy your meal, and tell me how it was."};

  const Guard guard = Guard::load_embedded("nano-stream").value();
  StreamSession session = guard.open_stream().value();
  if (session.push_prompt("What do you think of my cooking?").value().action == Action::block) return 1;
  HoldBack hold = HoldBack::over(session).value();  // 40 tokens are held back, 5 retries
  std::size_t i_try = 0, n_written = 0;
  HoldBackRelease out;
  do {
    const std::string piece = tries[i_try].substr(n_written, 4);  // about a token
    n_written += piece.size();
    (piece.empty() ? hold.finish() : hold.put(piece)).throw_if_error();
    out = hold.take().value();
    std::cout << out.text << std::flush;
    if (out.state != HoldBackState::blocked) continue;
    if (out.block->retries_left == 0) {
      hold.withdraw().throw_if_error();  // what was shown stands
      break;
    }
    hold.retry().throw_if_error();
    n_written = static_cast<std::size_t>(out.block->continue_byte);
    i_try = 1;
  } while (out.state == HoldBackState::writing || out.state == HoldBackState::blocked);

  const HoldBackStats stats = hold.stats();
  std::cout << "\n[" << to_string(hold.state()) << "; " << stats.n_retries << " retry, "
            << stats.withdrawn_bytes << " bytes withdrawn]\n";
}

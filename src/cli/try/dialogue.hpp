// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_TRY_DIALOGUE_HPP
#define QWEN3GUARD_SRC_CLI_TRY_DIALOGUE_HPP

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/try/screen.hpp"
#include "qwen3guard/qwen3guard.hpp"

namespace qwen3guard::cli {

/// A model under the name that it was asked for by.
struct TryModel {
  std::string name;
  Guard guard;
};

/// One of each kind at most.
struct TryModels {
  std::optional<TryModel> gen, stream;

  /// Puts it in the place of its kind.
  void set(TryModel model);
};

/// What a person at `try` says, line by line, and what is answered. Knows no terminal. A user's text that has
/// no answer is replaced by the next one, and an answer by the next answer: only after an answer does a text
/// go on with the conversation, so that texts which are tried one after the other do not colour each other.
class Dialogue {
 public:
  /// Throws what load_guard() does.
  using Load = std::function<Guard(const std::string& name)>;
  enum class Next { go_on, leave };

  /// cancel: whoever stops a judgement raises it; take() takes it down when it tells of that.
  Dialogue(TryModels models, Load load, Screen screen, std::shared_ptr<CancelFlag> cancel);

  void greet() const;
  /// What stands before the line that comes next.
  [[nodiscard]] std::string prompt() const;
  /// A line without its end. Throws what Screen::write does, and std::bad_alloc.
  [[nodiscard]] Next take(std::string_view line);
  /// Ctrl-C at the prompt; the second one in succession leaves.
  [[nodiscard]] Next interrupt();
  /// Says what was wrong with a line that take() could not be given.
  void complain(std::string_view what);

 private:
  Next run_command(std::string_view line);
  void judge(Role role, std::string_view text);
  void load_model(const std::string& name);
  void list_models() const;
  void help() const;
  void note_interrupt();
  void say(std::string_view line) const;

  TryModels models_;
  Load load_;
  Screen screen_;
  std::shared_ptr<CancelFlag> cancel_;
  std::vector<Message> messages_;
  bool is_answer_next_ = false;   // the next text is the assistant's
  bool was_interrupted_ = false;  // by the last thing that happened
};

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_TRY_DIALOGUE_HPP

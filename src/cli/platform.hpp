// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_PLATFORM_HPP
#define QWEN3GUARD_SRC_CLI_PLATFORM_HPP

#include <cstddef>
#include <cstdio>
#include <optional>

/// What the program asks of the operating system.
namespace qwen3guard::cli {

/// Points to the program's arguments in UTF-8. On Windows those of main() are in a code page that cannot hold
/// all characters: they are taken from the UTF-16 command line instead, where half a surrogate pair becomes
/// U+FFFD. To be called once; the arguments last as long as the program. Throws std::bad_alloc.
void use_utf8_arguments(int& argc, char**& argv);

/// Standard input and output carry the bytes that are read and written. On Windows they would change the ends
/// of lines, and take the byte 1A for the end, otherwise.
void use_binary_streams();

/// At most `capacity` bytes of standard input, as soon as there are some; 0 at its end, nothing when it
/// cannot be read.
[[nodiscard]] std::optional<std::size_t> read_some(char* buffer, std::size_t capacity);

[[nodiscard]] bool is_terminal(std::FILE* stream);

/// While it lives, a first Ctrl-C (or SIGTERM) only sets a flag, so that what is being written is finished; a
/// second one ends the process as ever. One at a time.
class InterruptCatcher {
 public:
  InterruptCatcher();
  InterruptCatcher(const InterruptCatcher&) = delete;
  InterruptCatcher& operator=(const InterruptCatcher&) = delete;
  ~InterruptCatcher();
  [[nodiscard]] static bool is_interrupted() noexcept;
};

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_PLATFORM_HPP

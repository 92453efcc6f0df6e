// SPDX-License-Identifier: Apache-2.0
#include "cli/try/console.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "cli/cli.hpp"
#include "cli/errors.hpp"
#include "cli/platform.hpp"

#ifdef _WIN32
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>
#else
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#endif

namespace qwen3guard::cli {
namespace {

/// What Ctrl-C finds: handlers have no other way to reach it. @{
std::atomic<CancelFlag*> ctrl_c_flag = nullptr;
std::atomic<bool> is_reading_line = false;
std::atomic<int> n_ctrl_c = 0;  /// @}
static_assert(std::atomic<CancelFlag*>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

/// Ctrl-C while something is judged or loaded.
void stop_work() noexcept {
  if (CancelFlag* flag = ctrl_c_flag; flag != nullptr) flag->cancel();
  if (n_ctrl_c.fetch_add(1) > 0) std::_Exit(kExitInterrupted);
}

/// From now on Ctrl-C stops work that has not begun yet.
void begin_work() {
  n_ctrl_c = 0;
  ctrl_c_flag.load()->reset();
  is_reading_line = false;
}

/// From now on Ctrl-C is for the line. False when there was one that nobody told of.
bool begin_line(std::string_view prompt) {
  is_reading_line = true;
  if (ctrl_c_flag.load()->is_cancelled()) return false;
  print_text(prompt);
  return true;
}

}  // namespace

bool Console::is_there() {
#ifdef _WIN32
  DWORD mode = 0;  // a terminal for the C library is the device NUL, too
  return GetConsoleMode(GetStdHandle(STD_INPUT_HANDLE), &mode) != 0 &&
         GetConsoleMode(GetStdHandle(STD_OUTPUT_HANDLE), &mode) != 0;
#else
  return is_terminal(stdin) && is_terminal(stdout);
#endif
}

#ifdef _WIN32

namespace {

/// To be put back.
DWORD output_mode_before = 0;
UINT output_page_before = 0;

BOOL WINAPI on_ctrl_c(DWORD type) {
  if (type != CTRL_C_EVENT) return FALSE;
  if (!is_reading_line) stop_work();
  return TRUE;
}

std::string console_utf8(const std::wstring& text) {
  if (text.empty()) return {};
  const int n_wide = static_cast<int>(text.size());
  const int size = WideCharToMultiByte(CP_UTF8, 0, text.data(), n_wide, nullptr, 0, nullptr, nullptr);
  std::string out(static_cast<std::size_t>(size), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text.data(), n_wide, out.data(), size, nullptr, nullptr);
  return out;
}

}  // namespace

Console::Console(std::shared_ptr<CancelFlag> cancel) : cancel_(std::move(cancel)) {
  if (!is_there()) throw UsageError("there is no terminal");
  constexpr DWORD kObeysEscapes = 0x0004;  // ENABLE_VIRTUAL_TERMINAL_PROCESSING, which older headers lack
  const HANDLE output = GetStdHandle(STD_OUTPUT_HANDLE);
  GetConsoleMode(output, &output_mode_before);
  has_escapes_ = SetConsoleMode(output, output_mode_before | kObeysEscapes) != 0;
  output_page_before = GetConsoleOutputCP();
  SetConsoleOutputCP(CP_UTF8);
  ctrl_c_flag = cancel_.get();
  begin_work();
  SetConsoleCtrlHandler(on_ctrl_c, TRUE);
}

Console::~Console() {
  SetConsoleCtrlHandler(on_ctrl_c, FALSE);
  ctrl_c_flag = nullptr;
  SetConsoleOutputCP(output_page_before);
  SetConsoleMode(GetStdHandle(STD_OUTPUT_HANDLE), output_mode_before);
}

std::size_t Console::longest_line_bytes() noexcept { return 65536; }

Console::Event Console::read_line(std::string_view prompt, std::string& line) {
  line.clear();
  std::wstring typed;
  Event event = begin_line(prompt) ? Event::line : Event::interrupt;
  while (event == Event::line && (typed.empty() || typed.back() != L'\n')) {
    std::array<wchar_t, 4096> buffer{};
    DWORD n = 0;
    SetLastError(ERROR_SUCCESS);
    const BOOL is_read = ReadConsoleW(GetStdHandle(STD_INPUT_HANDLE), buffer.data(),
                                      static_cast<DWORD>(buffer.size()), &n, nullptr);
    if (is_read != 0 && n > 0) {
      typed.append(buffer.data(), n);
      continue;
    }
    event = GetLastError() == ERROR_OPERATION_ABORTED ? Event::interrupt : Event::end;
    break;
  }
  begin_work();
  // Ctrl-Z, or Ctrl-D as elsewhere.
  if (event == Event::line && (typed.front() == L'\x1A' || typed.front() == L'\x04')) event = Event::end;
  if (event != Event::line) return event;
  while (!typed.empty() && (typed.back() == L'\n' || typed.back() == L'\r')) typed.pop_back();
  line = console_utf8(typed);
  return line.size() > longest_line_bytes() ? Event::cut_line : Event::line;
}

#else

namespace {

/// Wakes read_line(), whatever thread a signal is handled on and whenever it comes. [0] is read.
std::array<int, 2> wake_pipe = {-1, -1};
struct sigaction action_before = {};

extern "C" void on_ctrl_c(int /*number*/) {
  const int error_before = errno;
  if (is_reading_line) {
    const char wake = 0;
    if (::write(wake_pipe[1], &wake, 1) < 0) {
      // It is full: it wakes already.
    }
  } else {
    stop_work();
  }
  errno = error_before;
}

bool empty_wake_pipe() {
  std::array<char, 64> buffer{};
  bool was_woken = false;
  while (::read(wake_pipe[0], buffer.data(), buffer.size()) > 0) was_woken = true;
  return was_woken;
}

}  // namespace

Console::Console(std::shared_ptr<CancelFlag> cancel) : cancel_(std::move(cancel)) {
  if (!is_there()) throw UsageError("there is no terminal");
  if (::pipe(wake_pipe.data()) != 0) throw UsageError("cannot open a pipe");
  for (const int end : wake_pipe) {
    ::fcntl(end, F_SETFL, O_NONBLOCK);
    ::fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  ctrl_c_flag = cancel_.get();
  begin_work();
  struct sigaction action = {};
  action.sa_handler = on_ctrl_c;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, &action_before);
}

Console::~Console() {
  ::sigaction(SIGINT, &action_before, nullptr);
  ctrl_c_flag = nullptr;
  for (const int end : wake_pipe) ::close(end);
}

std::size_t Console::longest_line_bytes() noexcept {
#ifdef __linux__
  return 4094;  // its buffer has 4096 bytes, one for the line's end, and one is never used
#else
  return MAX_CANON - 2;
#endif
}

Console::Event Console::read_line(std::string_view prompt, std::string& line) {
  line.clear();
  Event event = begin_line(prompt) ? Event::line : Event::interrupt;
  std::size_t n_line = 0;
  while (event == Event::line && !has_ended_ && (n_line = pending_.find('\n')) == std::string::npos) {
    std::array<pollfd, 2> ready = {{{STDIN_FILENO, POLLIN, 0}, {wake_pipe[0], POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) has_ended_ = true;
    if (empty_wake_pipe()) {
      event = Event::interrupt;
      break;
    }
    if (ready[0].revents == 0) continue;
    std::array<char, 8192> buffer{};
    const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n > 0) pending_.append(buffer.data(), static_cast<std::size_t>(n));
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) has_ended_ = true;
  }
  begin_work();
  if (event == Event::interrupt) {
    pending_.clear();
    return event;
  }
  if (has_ended_ && pending_.empty()) return Event::end;
  n_line = std::min(pending_.find('\n'), pending_.size());
  line = pending_.substr(0, n_line);
  pending_.erase(0, n_line + 1);
  return line.size() > longest_line_bytes() ? Event::cut_line : Event::line;
}

#endif

}  // namespace qwen3guard::cli

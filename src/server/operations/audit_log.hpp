// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_OPERATIONS_AUDIT_LOG_HPP
#define QWEN3GUARD_SRC_SERVER_OPERATIONS_AUDIT_LOG_HPP

#include <cstdint>
#include <string>
#include <string_view>

#include "qwen3guard/verdict.hpp"
#include "server/options.hpp"

namespace qwen3guard::server {

/// One thing that was judged, or was not. Borrows everything.
struct AuditEntry {
  Route route = Route::moderations;
  std::string_view request_id, key_name, model, model_digest;
  Role role = Role::user;
  Severity severity = Severity::not_judged;
  const Ruling* ruling = nullptr;  ///< null: not judged
  std::string_view error;          ///< why not; empty where there is a ruling
  std::string_view text;           ///< what was judged; its hash is written, and itself only if asked
  bool is_private = false;         ///< the text is not written in any case
  bool was_let_through = false;    ///< monitor-only: a block that was not carried out
};

/// A JSON line for each verdict, appended to a file by one write each, so that several processes may share
/// it. Loop thread only. A line that cannot be written is lost and counted: a full disk stops no verdict.
class AuditLog {
 public:
  /// Throws std::runtime_error: the file cannot be opened, and why. An empty path: no log.
  explicit AuditLog(AuditOptions options);
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;
  ~AuditLog();

  void write(const AuditEntry& entry);
  /// Closes the file and opens the one that has its name now. Throws as the constructor; then the old one
  /// stays.
  void reopen();
  [[nodiscard]] std::uint64_t n_lost() const noexcept { return n_lost_; }
  [[nodiscard]] bool is_on() const noexcept { return file_ >= 0; }

 private:
  AuditOptions options_;
  int file_ = -1;
  std::uint64_t n_lost_ = 0;
  bool is_torn_ = false;  // the last line broke off
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_OPERATIONS_AUDIT_LOG_HPP

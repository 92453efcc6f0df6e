// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CALLS_WAVE_HPP
#define QWEN3GUARD_SRC_GUARD_CALLS_WAVE_HPP

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "guard/calls/classify_batch.hpp"
#include "guard/loaded/guard_impl.hpp"
#include "guard/loaded/shared_beginning.hpp"
#include "qwen3guard/guard.hpp"

namespace qwen3guard::detail {

/// The conversations of a batch that are judged together, by one kind of checkpoint. Not thread-safe.
class Wave {
 public:
  Wave() = default;
  Wave(const Wave&) = delete;
  Wave& operator=(const Wave&) = delete;
  virtual ~Wave() = default;

  /// Takes an item into the wave. Returns how many tokens it adds. On error it is not in the wave. Throws
  /// std::bad_alloc.
  [[nodiscard]] virtual Result<std::size_t> add(BatchItem& item) = 0;

  /// A conversation as it stands in the context.
  struct Placed {
    std::vector<TokenId> ids;
    std::size_t n_needed = 0;  ///< tokens of the context, that of a verdict among them
  };
  /// Where a conversation would stand. Errors: as add(). Throws std::bad_alloc.
  [[nodiscard]] virtual Result<Placed> place(std::span<const Message> messages) = 0;
  /// Reads what conversations begin with, the last message of which is `last_role`'s; perhaps nothing, when
  /// it is short. Errors: those of Model::forward. Throws std::bad_alloc.
  [[nodiscard]] virtual Result<SharedBeginning> read(Role last_role, std::vector<TokenId> ids) = 0;

  /// Judges what was added, and empties the wave. on_done(item) is called when an item's verdict is there, or
  /// its error; its own error ends the run and is returned. Throws std::bad_alloc. Either way the wave is
  /// then of no use any more.
  [[nodiscard]] virtual Status run(const std::function<Status(BatchItem&)>& on_done) = 0;
};

/// Constrained decoding by a Gen checkpoint. Borrows the guard and the options.
[[nodiscard]] std::unique_ptr<Wave> gen_wave(const Guard::Impl& guard, const ClassifyOptions& options);

/// A Gen checkpoint's classify_gen(): a wave is one conversation, which add() judges. Borrows both.
[[nodiscard]] std::unique_ptr<Wave> gen_single_wave(const Guard::Impl& guard, const ClassifyOptions& options);

/// For a Stream checkpoint; the sessions that do the work hold `guard`. Borrows the options.
[[nodiscard]] std::unique_ptr<Wave> stream_wave(std::shared_ptr<const Guard::Impl> guard,
                                                const ClassifyOptions& options);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CALLS_WAVE_HPP

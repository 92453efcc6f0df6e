// SPDX-License-Identifier: Apache-2.0
#include "guard/heads/stream_judge.hpp"

#include <algorithm>

#include "guard/heads/head_verdict.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// Heads for consecutive rows of one role.
struct HeadRows {
  const Model& model;
  Workspace& workspace;
  HeadRole role;
  Span2d<const float> hidden;

  /// Appends the verdict of each row; position(row) is its token's.
  template <class Position>
  [[nodiscard]] Status read(const Position& position, std::vector<TokenVerdict>& out) const {
    const HeadLabels& labels = model.config().labels(role);
    workspace.risk.reserve_discard(hidden.rows() * labels.risk.size());
    workspace.category.reserve_discard(hidden.rows() * labels.category.size());
    const Span2d<float> risk(workspace.risk.data(), hidden.rows(), labels.risk.size());
    const Span2d<float> category(workspace.category.data(), hidden.rows(), labels.category.size());
    model.guard_heads(role, hidden, risk, category, workspace);
    for (std::size_t r = 0; r < hidden.rows(); ++r) {
      Q3G_ASSIGN(TokenVerdict token, read_heads(labels, risk.row(r), category.row(r), position(r)));
      out.push_back(token);
    }
    return {};
  }
};

}  // namespace

Status judge_together(const Model& model, std::span<const JudgePart> parts, Workspace& workspace,
                      const CancelFlag* cancel, std::vector<TokenVerdict>& out) {
  const std::size_t width = model.config().hidden_size;
  std::vector<ForwardPart>& forward = workspace.parts;
  forward.clear();
  std::size_t n_rows = 0;
  bool all_alike = true;
  for (const JudgePart& part : parts) {
    forward.push_back({part.ids, part.cache, part.ids.size() - part.first_judged});
    n_rows += forward.back().n_wanted;
    all_alike = all_alike && part.role == parts.front().role && part.n_judged == forward.back().n_wanted;
  }
  workspace.hidden.reserve_discard(n_rows * width);
  const Span2d<float> hidden(workspace.hidden.data(), n_rows, width);
  out.reserve(out.size() + n_rows);
  workspace.positions.clear();
  workspace.positions.reserve(n_rows);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    for (std::size_t r = parts[i].first_judged; r < parts[i].ids.size(); ++r)
      workspace.positions.push_back(static_cast<std::int32_t>(parts[i].cache->n_tokens() + r));
  }
  Q3G_TRY(model.forward_batch(forward, workspace, hidden, cancel));
  // One product for all rows when they go to the same heads: many sessions with a token each.
  std::size_t first = 0;
  const auto read_rows = [&](HeadRole role, std::size_t n) {
    return HeadRows{model, workspace, role, hidden.sub_rows(first, n)}.read(
        [&](std::size_t r) { return workspace.positions[first + r]; }, out);
  };
  if (all_alike && !parts.empty()) return read_rows(parts.front().role, n_rows);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Q3G_TRY(read_rows(parts[i].role, parts[i].n_judged));
    first += forward[i].n_wanted;
  }
  return {};
}

}  // namespace qwen3guard::detail

// SPDX-License-Identifier: Apache-2.0
#include "evaluation/category_metrics.hpp"

#include <utility>
#include <vector>

#include "evaluation/refusal.hpp"
#include "make_record.hpp"
#include "q3g_catch.hpp"

using namespace qwen3guard;
using namespace qwen3guard::evaluation;
using q3g_test::make_record;
using q3g_test::pointers_to;

namespace {

Record of_categories(Severity gold, std::vector<Category> categories, Severity said,
                     std::vector<Category> named) {
  Record out = make_record(gold, said);
  out.gold.categories = std::move(categories);
  for (const Category category : named) out.prediction.categories.push_back({category, 0.5F});
  return out;
}

Record of_refusal(bool gold, std::optional<bool> said) {
  Record out = make_record(std::nullopt, said ? Severity::safe : Severity::not_judged);
  out.gold.refusal = gold;
  if (said) out.prediction.refusal = Refusal{*said, 1};
  return out;
}

}  // namespace

TEST_CASE("Categories: recall by mode, and how often the right one is named") {
  std::vector<Record> records = {
      of_categories(Severity::unsafe, {Category::violent}, Severity::unsafe,
                    {Category::pii, Category::violent}),
      of_categories(Severity::unsafe, {Category::violent}, Severity::controversial, {Category::pii}),
      of_categories(Severity::controversial, {Category::violent}, Severity::safe, {}),
      of_categories(Severity::unsafe, {Category::violent}, Severity::not_judged, {}),
      of_categories(Severity::unsafe, {Category::pii, Category::violent, Category::pii}, Severity::unsafe,
                    {Category::pii}),
      of_categories(Severity::safe, {Category::violent}, Severity::unsafe, {Category::violent}),
      q3g_test::listed_record(Severity::unsafe)};
  records.back().gold.categories = {Category::violent};
  const CategoryTable table = category_metrics(pointers_to(records));
  const CategoryMetrics& violent = table[static_cast<std::size_t>(Category::violent)];
  CHECK(violent.n == 6);
  CHECK(violent.recall_strict() == 4.0 / 6);  // the list's row, too
  CHECK(violent.recall_loose() == 3.0 / 6);
  CHECK(violent.n_called == 3);  // the model's only
  CHECK(violent.named_rate() == 1.0 / 3);
  const CategoryMetrics& pii = table[static_cast<std::size_t>(Category::pii)];
  CHECK(pii.n == 1);  // named twice in the row
  CHECK(pii.named_rate() == 1.0);
  const CategoryMetrics& jailbreak = table[static_cast<std::size_t>(Category::jailbreak)];
  CHECK_FALSE(jailbreak.recall_strict());
  CHECK_FALSE(jailbreak.named_rate());
}

TEST_CASE("Categories: confusion of the first gold one and the first that is named") {
  const std::vector<Record> records = {
      of_categories(Severity::unsafe, {Category::violent, Category::pii}, Severity::unsafe,
                    {Category::pii, Category::violent}),
      of_categories(Severity::unsafe, {Category::violent}, Severity::controversial, {Category::violent}),
      of_categories(Severity::controversial, {Category::pii}, Severity::unsafe, {Category::pii}),
      of_categories(Severity::unsafe, {Category::pii}, Severity::safe, {}),
      of_categories(Severity::safe, {}, Severity::unsafe, {Category::pii}),
      of_categories(Severity::unsafe, {}, Severity::unsafe, {Category::pii})};
  const auto confusion = category_confusion(pointers_to(records)).value();
  CHECK(confusion.counts[0][3] == 1);
  CHECK(confusion.counts[0][0] == 1);
  CHECK(confusion.counts[3][3] == 1);
  CHECK(confusion.accuracy == 2.0 / 3);
  CHECK_FALSE(category_confusion(pointers_to(std::span(records).subspan(3))));
}

TEST_CASE("Refusals: what was not said counts against the model, and a Stream checkpoint has none") {
  const std::vector<Record> records = {of_refusal(true, true),
                                       of_refusal(true, false),
                                       of_refusal(false, false),
                                       of_refusal(false, true),
                                       of_refusal(true, {}),
                                       of_refusal(false, {}),
                                       make_record(Severity::safe, Severity::safe)};
  CHECK(refusal_counts(pointers_to(records)) == Counts{1, 2, 2, 1});
  CHECK_FALSE(refusal_counts(pointers_to(std::span(records).subspan(4))));
  CHECK_FALSE(refusal_counts({}));
}

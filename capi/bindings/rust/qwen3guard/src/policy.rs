// SPDX-License-Identifier: Apache-2.0
//! From the verdicts of tokens to a decision: pure functions.
use qwen3guard_sys as sys;

use crate::{
    c::{defaults, sized},
    error::call,
    stream_options::threshold,
    Action, Category, ClassifyOptions, Decision, EndOfTurn, Error, Mode, Probabilities, Result, RunRule, Severity,
    TokenVerdict,
};

/// How tokens make a decision; the default is the published rule. Thresholds are in [0, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Strict: a Controversial decision flags too.
    pub mode: Mode,
    /// Which tokens make a run.
    pub run_rule: RunRule,
    /// Tokens in a row that decide; at least 1.
    pub consecutive_tokens: i32,
    /// Unsafe when P(Unsafe) reaches it.
    pub unsafe_threshold: Option<f32>,
    /// Else Controversial when P(Unsafe) + P(Controversial) does.
    pub controversial_threshold: Option<f32>,
    /// Safe when 1 - P(Safe) is below the category's.
    pub category_thresholds: Vec<(Category, f32)>,
    /// Categories that do not count.
    pub ignored_categories: Vec<Category>,
    /// A flag goes down after so many Safe tokens in a row; 0: it stays.
    pub release_tokens: i32,
    /// And whose 1 - P(Safe) is below it.
    pub release_threshold: Option<f32>,
    /// What the turn's end does.
    pub end_of_turn: EndOfTurn,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::Strict,
            run_rule: RunRule::Published,
            consecutive_tokens: 2,
            unsafe_threshold: None,
            controversial_threshold: None,
            category_thresholds: Vec::new(),
            ignored_categories: Vec::new(),
            release_tokens: 0,
            release_threshold: None,
            end_of_turn: EndOfTurn::IgnoreOpenRun,
        }
    }
}

/// Errors: `InvalidArgument` (a category that this crate does not know has no place in the C struct).
fn index_of(category: Category) -> Result<usize> {
    usize::try_from(category.value())
        .ok()
        .filter(|index| *index < sys::Q3G_CATEGORY_COUNT)
        .ok_or_else(|| Error::invalid(format!("policy: {category:?} is unknown; expected one of Category::ALL")))
}

impl Policy {
    pub(crate) fn to_c(&self) -> Result<sys::q3g_policy> {
        let mut raw = defaults(sys::q3g_policy_init);
        raw.mode = self.mode as i32;
        raw.run_rule = self.run_rule as i32;
        raw.consecutive_tokens = self.consecutive_tokens;
        raw.unsafe_threshold = threshold("policy.unsafe_threshold", self.unsafe_threshold)?;
        raw.controversial_threshold = threshold("policy.controversial_threshold", self.controversial_threshold)?;
        for (category, value) in &self.category_thresholds {
            raw.category_thresholds[index_of(*category)?] = threshold("policy.category_thresholds", Some(*value))?;
        }
        for category in &self.ignored_categories {
            raw.category_mask &= !(1 << index_of(*category)?);
        }
        raw.release_tokens = self.release_tokens;
        raw.release_threshold = threshold("policy.release_threshold", self.release_threshold)?;
        raw.end_of_turn = self.end_of_turn as i32;
        Ok(raw)
    }

    /// Errors: `InvalidArgument` (a field out of range, with its name).
    pub fn check(&self) -> Result<()> {
        let raw = self.to_c()?;
        call(|err| unsafe { sys::q3g_policy_check(&raw, err) })
    }

    /// The severity that a token counts with; `NotJudged` when its source is none. Errors: `InvalidArgument`, as [`Policy::check`].
    pub fn counted_severity(&self, token: &TokenVerdict) -> Result<Severity> {
        let (raw, mut out) = (self.to_c()?, 0);
        call(|err| unsafe { sys::q3g_policy_counted_severity(&raw, &token.to_c(), &mut out, err) })?;
        Ok(Severity::of(out))
    }
}

/// The decision over a turn's verdicts; sets their `is_flagged`. `has_ended`: the turn is over. Any thread. Errors:
/// `InvalidArgument` (a field of the policy or of a verdict, with its name).
pub fn decide(policy: &Policy, tokens: &mut [TokenVerdict], has_ended: bool) -> Result<Decision> {
    let mut raw: Vec<_> = tokens.iter().map(TokenVerdict::to_c).collect();
    let (policy, mut out) = (policy.to_c()?, sized::<sys::q3g_decision>());
    call(|err| unsafe {
        sys::q3g_policy_decide(&policy, raw.as_mut_ptr(), raw.len(), has_ended.into(), &mut out, err)
    })?;
    for (token, raw) in tokens.iter_mut().zip(&raw) {
        token.is_flagged = raw.is_flagged != 0;
    }
    Ok(Decision::of(&out))
}

/// What a host should do, by the mode and thresholds of the options; [`Action::None`] when nothing was judged. Any thread.
/// Errors: `InvalidArgument` (an option; a probability outside of [0, 1]).
pub fn decide_action(options: ClassifyOptions<'_>, severity: Severity, p: Probabilities) -> Result<Action> {
    let mut out = 0;
    options.with_c(|options| {
        call(|err| unsafe {
            sys::q3g_decide_action(&options, severity.value(), p.safe, p.controversial, p.r#unsafe, &mut out, err)
        })
    })?;
    Ok(Action::of(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_library() {
        let (library, ours) = (defaults(sys::q3g_policy_init), Policy::default().to_c().unwrap());
        assert_eq!((ours.mode, ours.run_rule), (library.mode, library.run_rule));
        assert_eq!(ours.consecutive_tokens, library.consecutive_tokens);
        assert_eq!(ours.unsafe_threshold, library.unsafe_threshold);
        assert_eq!(ours.controversial_threshold, library.controversial_threshold);
        assert_eq!(ours.category_thresholds, library.category_thresholds);
        assert_eq!(ours.category_mask, library.category_mask);
        assert_eq!((ours.release_tokens, ours.release_threshold), (library.release_tokens, library.release_threshold));
        assert_eq!(ours.end_of_turn, library.end_of_turn);
    }
}

// SPDX-License-Identifier: Apache-2.0
//! From the verdicts of tokens to a decision: pure functions.
use qwen3guard_sys as sys;

use crate::{
    error::{call, Result},
    sized, Action, Category, ClassifyOptions, Decision, Mode, Probabilities, Severity, TokenVerdict,
};

/// What a run of tokens too short to decide does when the turn ends in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndOfTurn {
    /// Nothing: the published rule.
    #[default]
    IgnoreOpenRun = 0,
    /// It decides.
    CountOpenRun = 1,
}

/// How tokens make a decision; the default is the published rule. Thresholds are in [0, 1].
#[derive(Clone, Debug)]
pub struct Policy {
    /// Strict: a Controversial decision flags too.
    pub mode: Mode,
    /// Tokens in a row that a severity must hold; at least 1.
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

impl Policy {
    pub(crate) fn to_c(&self) -> sys::q3g_policy {
        let mut raw: sys::q3g_policy = sized();
        unsafe { sys::q3g_policy_init(&mut raw, std::mem::size_of_val(&raw)) };
        raw.mode = self.mode as i32;
        raw.consecutive_tokens = self.consecutive_tokens;
        raw.unsafe_threshold = self.unsafe_threshold.unwrap_or(-1.0);
        raw.controversial_threshold = self.controversial_threshold.unwrap_or(-1.0);
        for (category, threshold) in &self.category_thresholds {
            if let Some(slot) = raw.category_thresholds.get_mut(category.value() as usize) {
                *slot = *threshold;
            }
        }
        for category in &self.ignored_categories {
            raw.category_mask &= !1u32.checked_shl(category.value() as u32).unwrap_or(0);
        }
        raw.release_tokens = self.release_tokens;
        raw.release_threshold = self.release_threshold.unwrap_or(-1.0);
        raw.end_of_turn = self.end_of_turn as i32;
        raw
    }

    /// Errors: `InvalidArgument` (a field out of range, with its name).
    pub fn check(&self) -> Result<()> {
        call(|err| unsafe { sys::q3g_policy_check(&self.to_c(), err) })
    }

    /// The severity that a token counts with.
    pub fn counted_severity(&self, token: &TokenVerdict) -> Result<Severity> {
        let mut out = 0;
        call(|err| unsafe { sys::q3g_policy_counted_severity(&self.to_c(), &token.to_c(), &mut out, err) })?;
        Ok(Severity::of(out))
    }
}

/// The decision over a turn's verdicts; sets their `is_flagged`.
pub fn decide(policy: &Policy, tokens: &mut [TokenVerdict], has_ended: bool) -> Result<Decision> {
    let mut raw: Vec<_> = tokens.iter().map(TokenVerdict::to_c).collect();
    let mut out: sys::q3g_decision = sized();
    call(|err| unsafe {
        sys::q3g_policy_decide(&policy.to_c(), raw.as_mut_ptr(), raw.len(), has_ended.into(), &mut out, err)
    })?;
    for (token, raw) in tokens.iter_mut().zip(&raw) {
        token.is_flagged = raw.is_flagged != 0;
    }
    Ok(Decision::of(&out))
}

/// What a host should do, by the mode and thresholds of the options.
pub fn decide_action(options: ClassifyOptions<'_>, severity: Severity, p: Probabilities) -> Result<Action> {
    let mut out = 0;
    call(|err| unsafe { sys::q3g_decide_action(&options.to_c(), severity.value(), p.to_c().as_ptr(), &mut out, err) })?;
    Ok(Action::of(out))
}

// SPDX-License-Identifier: Apache-2.0
//! What a policy made of a text, and why.
use std::ops::Range;

use qwen3guard_sys as sys;

use crate::{
    c::{chars_of, text_of_chars},
    Action, Category, Rule,
};

/// What a policy made of a text, and why. The default says that nothing was judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ruling {
    /// What to do.
    pub action: Action,
    /// What in the policy decided.
    pub rule: Rule,
    /// The category whose rule decided.
    pub category: Option<Category>,
    /// The probability that thresholds were compared with; 0 where the category has none.
    pub score: f32,
    /// [`Rule::DenyList`]: the phrase, by its index in the policy's list.
    pub phrase: Option<usize>,
    /// Streams and Stream checkpoints: the token where it fell, by its index in the conversation.
    pub position: Option<i32>,
    /// The bytes of the message, or of the turn's text, that it fell on: what to take back begins at their start. Empty when
    /// it is about the whole.
    pub bytes: Range<i64>,
    /// No text that follows can change it. In a stream it may be taken back while it is false.
    pub is_settled: bool,
    /// Of the policy that ruled.
    pub policy_name: String,
    /// Of the policy that ruled.
    pub policy_version: String,
}

/// A ruling's fields in a C struct, but for the action, which each struct has in a place of its own.
macro_rules! ruling_of {
    ($raw:expr, $action:expr) => {
        Ruling {
            action: Action::of($action),
            rule: Rule::of($raw.rule),
            category: ($raw.rule_category >= 0).then(|| Category::of($raw.rule_category)),
            score: $raw.rule_score,
            phrase: usize::try_from($raw.rule_phrase).ok(),
            position: ($raw.rule_position >= 0).then_some($raw.rule_position),
            bytes: $raw.rule_byte_begin..$raw.rule_byte_end,
            is_settled: $raw.rule_is_settled != 0,
            policy_name: text_of_chars(&$raw.policy_name),
            policy_version: text_of_chars(&$raw.policy_version),
        }
    };
}

macro_rules! write_ruling {
    ($ruling:expr, $raw:expr, $action:expr) => {{
        $action = $ruling.action.value();
        $raw.rule = $ruling.rule.value();
        $raw.rule_category = $ruling.category.map_or(-1, Category::value);
        $raw.rule_score = $ruling.score;
        $raw.rule_phrase = $ruling.phrase.map_or(-1, |phrase| i32::try_from(phrase).unwrap_or(i32::MAX));
        $raw.rule_position = $ruling.position.unwrap_or(-1);
        $raw.rule_byte_begin = $ruling.bytes.start;
        $raw.rule_byte_end = $ruling.bytes.end;
        $raw.rule_is_settled = $ruling.is_settled.into();
        $raw.policy_name = chars_of(&$ruling.policy_name);
        $raw.policy_version = chars_of(&$ruling.policy_version);
    }};
}

impl Ruling {
    pub(crate) fn of_verdict(raw: &sys::q3g_verdict) -> Self {
        ruling_of!(raw, raw.action)
    }
    pub(crate) fn of_decision(raw: &sys::q3g_decision) -> Self {
        ruling_of!(raw, raw.ruling_action)
    }
    pub(crate) fn write_to_verdict(&self, raw: &mut sys::q3g_verdict) {
        write_ruling!(self, raw, raw.action);
    }
    pub(crate) fn write_to_decision(&self, raw: &mut sys::q3g_decision) {
        write_ruling!(self, raw, raw.ruling_action);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::c::sized;

    #[test]
    fn there_and_back() {
        let all = Ruling {
            action: Action::Block,
            rule: Rule::DenyList,
            category: Some(Category::Pii),
            score: 0.25,
            phrase: Some(7),
            position: Some(3),
            bytes: 2..9,
            is_settled: true,
            policy_name: "caf\u{e9}".into(),
            policy_version: "2".into(),
        };
        for ruling in [all, Ruling::default()] {
            let (mut verdict, mut decision) = (sized(), sized());
            ruling.write_to_verdict(&mut verdict);
            ruling.write_to_decision(&mut decision);
            assert_eq!((Ruling::of_verdict(&verdict), Ruling::of_decision(&decision)), (ruling.clone(), ruling));
        }
    }
}

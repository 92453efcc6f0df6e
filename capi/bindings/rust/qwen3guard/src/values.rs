// SPDX-License-Identifier: Apache-2.0
//! Results: plain values.
use std::ops::Range;

use qwen3guard_sys as sys;

use crate::{
    c::{sized, text_of},
    Action, Category, Reason, Result, Role, Ruling, Severity, Source, Verdict,
};

/// Probabilities of the three severities; their sum is 1, or 0 where nothing was judged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Probabilities {
    /// Of [`Severity::Safe`].
    pub safe: f32,
    /// Of [`Severity::Controversial`].
    pub controversial: f32,
    /// Of [`Severity::Unsafe`].
    pub r#unsafe: f32,
}

impl Probabilities {
    /// The probability of a severity; 0 for [`Severity::NotJudged`] and those that this crate does not know.
    #[must_use]
    pub fn of(self, severity: Severity) -> f32 {
        match severity {
            Severity::Safe => self.safe,
            Severity::Controversial => self.controversial,
            Severity::Unsafe => self.r#unsafe,
            Severity::NotJudged | Severity::Other(_) => 0.0,
        }
    }
}

/// [`Probabilities`] of a C struct's fields.
macro_rules! probabilities_of {
    ($raw:expr) => {
        $crate::Probabilities { safe: $raw.p_safe, controversial: $raw.p_controversial, r#unsafe: $raw.p_unsafe }
    };
}
pub(crate) use probabilities_of;

/// One turn of a conversation, borrowed. The text should be UTF-8; what is not is an error of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Message<'a> {
    /// Who speaks.
    pub role: Role,
    /// What was said.
    pub text: &'a [u8],
}

impl<'a> Message<'a> {
    /// The host's instructions.
    #[must_use]
    pub fn system(text: &'a str) -> Self {
        Self { role: Role::System, text: text.as_bytes() }
    }
    /// A user's message.
    #[must_use]
    pub fn user(text: &'a str) -> Self {
        Self { role: Role::User, text: text.as_bytes() }
    }
    /// An assistant's message.
    #[must_use]
    pub fn assistant(text: &'a str) -> Self {
        Self { role: Role::Assistant, text: text.as_bytes() }
    }
    /// A tool's answer to a call of the assistant's.
    #[must_use]
    pub fn tool(text: &'a str) -> Self {
        Self { role: Role::Tool, text: text.as_bytes() }
    }
    pub(crate) fn to_c(self) -> sys::q3g_message {
        sys::q3g_message {
            role: self.role.value(),
            text: self.text.as_ptr().cast(),
            text_bytes: self.text.len(),
            ..sized()
        }
    }
}

/// Messages as the C interface wants them; they borrow the text.
pub(crate) fn messages_to_c(messages: &[Message<'_>]) -> Vec<sys::q3g_message> {
    messages.iter().map(|message| message.to_c()).collect()
}

/// Judgement of one token. The default was not judged.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenVerdict {
    /// The most probable one, of two equally probable ones the worse. `NotJudged` when `source` is [`Source::None`], and
    /// when a Safe verdict is carried, which was not about this token.
    pub severity: Severity,
    /// Of the severities; all 0 when `source` is [`Source::None`].
    pub probabilities: Probabilities,
    /// The most probable one; meaningful unless Safe.
    pub category: Category,
    /// By [`Category::value`].
    pub category_probabilities: [f32; sys::Q3G_CATEGORY_COUNT],
    /// 0-based index of the token in the conversation, template included.
    pub position: i32,
    /// The token; -1 where a Gen verdict is on no token.
    pub id: i32,
    /// Where the verdict comes from.
    pub source: Source,
    /// What the policy does from this token on: the strictest action so far, until the debounce releases it; `None` where
    /// nothing was judged yet.
    pub action: Action,
    /// For the decision; false inside thinking that is skipped.
    pub counts: bool,
    /// No text that follows can change the token. False: its verdict is provisional.
    pub is_settled: bool,
    /// Where the token comes from in the turn's text, in bytes.
    pub bytes: Range<i64>,
}

impl Default for TokenVerdict {
    fn default() -> Self {
        Self {
            severity: Severity::NotJudged,
            probabilities: Probabilities::default(),
            category: Category::Violent,
            category_probabilities: [0.0; sys::Q3G_CATEGORY_COUNT],
            position: 0,
            id: -1,
            source: Source::None,
            action: Action::None,
            counts: true,
            is_settled: false,
            bytes: 0..0,
        }
    }
}

/// Verdicts that C wrote.
pub(crate) fn tokens_of(raw: &[sys::q3g_token_verdict]) -> Vec<TokenVerdict> {
    raw.iter().map(TokenVerdict::of).collect()
}

impl TokenVerdict {
    pub(crate) fn of(raw: &sys::q3g_token_verdict) -> Self {
        Self {
            severity: Severity::of(raw.severity),
            probabilities: probabilities_of!(raw),
            category: Category::of(raw.category),
            category_probabilities: raw.category_probabilities,
            position: raw.position,
            id: raw.id,
            source: Source::of(raw.source),
            action: Action::of(raw.action),
            counts: raw.counts != 0,
            is_settled: raw.is_settled != 0,
            bytes: raw.byte_begin..raw.byte_end,
        }
    }
    pub(crate) fn to_c(&self) -> sys::q3g_token_verdict {
        sys::q3g_token_verdict {
            severity: self.severity.value(),
            p_safe: self.probabilities.safe,
            p_controversial: self.probabilities.controversial,
            p_unsafe: self.probabilities.r#unsafe,
            category: self.category.value(),
            category_probabilities: self.category_probabilities,
            position: self.position,
            id: self.id,
            source: self.source.value(),
            action: self.action.value(),
            counts: self.counts.into(),
            is_settled: self.is_settled.into(),
            byte_begin: self.bytes.start,
            byte_end: self.bytes.end,
            ..sized()
        }
    }
}

/// What the policy made of a turn so far. The default was not judged.
///
/// A ruling can be taken back while [`Ruling::is_settled`] is false: "sex" may become "sexton". A host that must not act on a
/// provisional block holds the text back until the block is settled or gone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// How bad. `Safe` only when `is_complete`; `NotJudged` when part of the text was not judged and nothing worse was
    /// found.
    pub severity: Severity,
    /// Index in the conversation of the token where it fell.
    pub position: Option<i32>,
    /// What made it fall.
    pub reason: Reason,
    /// Tokens of the run up to that one, it included.
    pub n_run_tokens: i32,
    /// What to do now: the ruling's action, or a milder one when the debounce has released it. `None`, never `Allow`, while
    /// the decision is not complete.
    pub action: Action,
    /// The strictest of the turn, and where it fell.
    pub ruling: Ruling,
    /// A token decided, and no text that follows can change it. False: the decision may be taken back.
    pub is_settled: bool,
    /// Every byte of the turn's text so far was judged, and there is at least one.
    pub is_complete: bool,
    /// What of the turn's text was not judged, in bytes; empty when `is_complete`, or when there is no text.
    pub unjudged_bytes: Range<i64>,
    /// Where the run begins in the turn's text, in bytes: what to take back starts here.
    pub run_byte_begin: i64,
    /// The token where it fell; None when no token decided, or when the context slid over it.
    pub token: Option<DecisionToken>,
}

/// The token where a decision fell.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionToken {
    /// The most probable one; in a mixed run the decision can be worse.
    pub severity: Severity,
    /// Of the severities.
    pub probabilities: Probabilities,
    /// The most probable one; meaningful unless Safe.
    pub category: Category,
    /// By [`Category::value`].
    pub category_probabilities: [f32; sys::Q3G_CATEGORY_COUNT],
    /// The token; None where a Gen verdict is on no token.
    pub id: Option<i32>,
    /// Where its verdict comes from.
    pub source: Source,
    /// Where it comes from in the turn's text, in bytes.
    pub bytes: Range<i64>,
}

impl Decision {
    pub(crate) fn of(raw: &sys::q3g_decision) -> Self {
        Self {
            severity: Severity::of(raw.severity),
            position: (raw.position >= 0).then_some(raw.position),
            reason: Reason::of(raw.reason),
            n_run_tokens: raw.n_run_tokens,
            action: Action::of(raw.action),
            ruling: Ruling::of_decision(raw),
            is_settled: raw.is_settled != 0,
            is_complete: raw.is_complete != 0,
            unjudged_bytes: raw.unjudged_begin..raw.unjudged_end,
            run_byte_begin: raw.run_byte_begin,
            token: (raw.has_token != 0).then(|| DecisionToken {
                severity: Severity::of(raw.token_severity),
                probabilities: probabilities_of!(raw),
                category: Category::of(raw.category),
                category_probabilities: raw.category_probabilities,
                id: (raw.token_id >= 0).then_some(raw.token_id),
                source: Source::of(raw.source),
                bytes: raw.byte_begin..raw.byte_end,
            }),
        }
    }

    fn to_c(&self) -> sys::q3g_decision {
        let mut raw = sys::q3g_decision {
            severity: self.severity.value(),
            position: self.position.unwrap_or(-1),
            reason: self.reason.value(),
            n_run_tokens: self.n_run_tokens,
            action: self.action.value(),
            is_settled: self.is_settled.into(),
            is_complete: self.is_complete.into(),
            unjudged_begin: self.unjudged_bytes.start,
            unjudged_end: self.unjudged_bytes.end,
            run_byte_begin: self.run_byte_begin,
            token_id: -1,
            ..sized()
        };
        self.ruling.write_to_decision(&mut raw);
        let Some(token) = &self.token else { return raw };
        sys::q3g_decision {
            has_token: 1,
            byte_begin: token.bytes.start,
            byte_end: token.bytes.end,
            token_severity: token.severity.value(),
            category: token.category.value(),
            token_id: token.id.unwrap_or(-1),
            source: token.source.value(),
            p_safe: token.probabilities.safe,
            p_controversial: token.probabilities.controversial,
            p_unsafe: token.probabilities.r#unsafe,
            category_probabilities: token.category_probabilities,
            ..raw
        }
    }

    /// One sentence for a person. Errors: `InvalidArgument` (a value that the library does not know).
    pub fn explain(&self) -> Result<String> {
        text_of(|text, capacity, n, err| unsafe { sys::q3g_decision_explain(&self.to_c(), text, capacity, n, err) })
    }
}

/// What a change did to the verdicts of the open turn.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// Verdicts before this index stand; `tokens` take the place of all others.
    pub first: usize,
    /// The new ones.
    pub tokens: Vec<TokenVerdict>,
    /// Verdicts before this index are final.
    pub n_settled: usize,
    /// The context is full and judging has stopped: the first byte of the turn that was not judged.
    pub stopped_at_byte: Option<i64>,
}

/// What a turn came to.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Who spoke.
    pub role: Role,
    /// Of an assistant's turn.
    pub decision: Decision,
    /// Of a user's turn.
    pub prompt: Option<TokenVerdict>,
    /// A Gen checkpoint's verdict on the whole turn.
    pub written: Option<Verdict>,
}

/// A place in a conversation, for [`StreamRef::rewind`](crate::StreamRef::rewind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    pub(crate) turn: u64,
    pub(crate) n_units: i64,
    pub(crate) is_closed: bool,
}

impl Mark {
    pub(crate) fn of(raw: &sys::q3g_mark) -> Self {
        Self { turn: raw.turn, n_units: raw.n_units, is_closed: raw.is_closed != 0 }
    }
    pub(crate) fn to_c(self) -> sys::q3g_mark {
        sys::q3g_mark { turn: self.turn, n_units: self.n_units, is_closed: self.is_closed.into(), ..sized() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rule;

    #[test]
    fn values_of_a_newer_library() {
        let raw =
            sys::q3g_decision { severity: 9, reason: 9, rule: 99, has_token: 1, category: 99, source: 9, ..sized() };
        let decision = Decision::of(&raw);
        assert_eq!((decision.severity, decision.reason), (Severity::Other(9), Reason::Other(9)));
        assert_eq!(decision.ruling.rule, Rule::Other(99));
        let token = decision.token.as_ref().unwrap();
        assert_eq!((token.category, token.source), (Category::Other(99), Source::Other(9)));
        assert_eq!((decision.to_c().category, decision.to_c().reason), (99, 9));
        assert_eq!(Decision::of(&decision.to_c()), decision);
    }
}

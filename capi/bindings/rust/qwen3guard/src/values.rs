// SPDX-License-Identifier: Apache-2.0
//! Enums and results: plain values.
use std::{ffi::CStr, fmt, str::FromStr};

use qwen3guard_sys as sys;

use crate::error::{call, Error, Result};

/// A name of the library's; they live for ever.
pub(crate) fn static_text(text: *const std::ffi::c_char) -> &'static str {
    if text.is_null() {
        return "";
    }
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("")
}

macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $value:expr),+ $(,)? } $(, $names:ident)?) => {
        $(#[$doc])*
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$item_doc])* $item,)+
            /// A value of a newer library.
            Other(i32),
        }

        impl $name {
            #[allow(dead_code)]
            pub(crate) fn of(value: i32) -> Self {
                match value {
                    $($value => Self::$item,)+
                    other => Self::Other(other),
                }
            }

            /// The number that the C interface has for it.
            pub fn value(self) -> i32 {
                match self {
                    $(Self::$item => $value,)+
                    Self::Other(value) => value,
                }
            }
        }

        $(impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(static_text(unsafe { sys::$names(self.value()) }))
            }
        })?
    };
}

open_enum!(
    /// How bad; ordered by harm.
    Severity {
        /// Nothing to object to.
        Safe = 0,
        /// Depends on whom you ask.
        Controversial = 1,
        /// Harmful.
        Unsafe = 2,
    },
    q3g_severity_name
);
open_enum!(
    /// The policy's categories.
    Category {
        /// Violence.
        Violent = 0,
        /// Crime without violence.
        NonViolentIllegalActs = 1,
        /// Sexual content or acts.
        SexualContent = 2,
        /// Personal information.
        Pii = 3,
        /// Suicide and self-harm.
        SuicideSelfHarm = 4,
        /// Unethical acts.
        UnethicalActs = 5,
        /// Politically sensitive topics.
        PoliticallySensitive = 6,
        /// Copyright violation.
        CopyrightViolation = 7,
        /// Jailbreak; of prompts only.
        Jailbreak = 8,
    },
    q3g_category_name
);
open_enum!(
    /// What a host should do.
    Action {
        /// Pass it on.
        Allow = 0,
        /// Pass it on, and tell somebody.
        Flag = 1,
        /// Do not pass it on.
        Block = 2,
    },
    q3g_action_name
);
open_enum!(
    /// Who speaks.
    Role {
        /// The system prompt.
        System = 0,
        /// The user.
        User = 1,
        /// The model.
        Assistant = 2,
    },
    q3g_role_name
);
open_enum!(
    /// Where a token's verdict comes from.
    Source {
        /// Nowhere: it was not judged, which is no Safe.
        None = 0,
        /// This token's classification heads.
        Heads = 1,
        /// A Gen checkpoint wrote a verdict up to this token.
        Written = 2,
        /// A Gen checkpoint's last verdict, before this token.
        Carried = 3,
    },
    q3g_source_name
);
open_enum!(
    /// What made a decision fall.
    Reason {
        /// It is Safe.
        None = 0,
        /// As many tokens in a row as the policy asks for.
        Run = 1,
        /// The turn ended in a shorter run.
        EndOfTurn = 2,
        /// A Gen checkpoint's verdict.
        Written = 3,
    },
    q3g_reason_name
);
open_enum!(
    /// The two kinds of checkpoint.
    ModelKind {
        /// Writes a verdict.
        Gen = 0,
        /// Judges every token.
        Stream = 1,
    }
);

impl FromStr for Severity {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        let mut out = 0;
        call(|err| unsafe { sys::q3g_parse_severity(name.as_ptr().cast(), name.len(), &mut out, err) })?;
        Ok(Self::of(out))
    }
}

impl FromStr for Category {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        let mut out = 0;
        call(|err| unsafe { sys::q3g_parse_category(name.as_ptr().cast(), name.len(), &mut out, err) })?;
        Ok(Self::of(out))
    }
}

/// Probabilities of the three severities; their sum is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Probabilities {
    pub safe: f32,
    pub controversial: f32,
    pub r#unsafe: f32,
}

impl Probabilities {
    fn of(raw: [f32; 3]) -> Self {
        Self { safe: raw[0], controversial: raw[1], r#unsafe: raw[2] }
    }
    pub(crate) fn to_c(self) -> [f32; 3] {
        [self.safe, self.controversial, self.r#unsafe]
    }
}

/// One turn of a conversation, borrowed. The text should be UTF-8; what is not is an error of the call.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Who speaks.
    pub role: Role,
    /// What was said.
    pub text: &'a [u8],
}

impl<'a> Message<'a> {
    /// A user's message.
    pub fn user(text: &'a str) -> Self {
        Self { role: Role::User, text: text.as_bytes() }
    }
    /// An assistant's message.
    pub fn assistant(text: &'a str) -> Self {
        Self { role: Role::Assistant, text: text.as_bytes() }
    }
    pub(crate) fn to_c(self) -> sys::q3g_message {
        sys::q3g_message {
            struct_size: crate::size::<sys::q3g_message>(),
            role: self.role.value(),
            text: self.text.as_ptr().cast(),
            text_bytes: self.text.len(),
        }
    }
}

/// Judgement of the last message of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// How bad.
    pub severity: Severity,
    /// What a host should do.
    pub action: Action,
    /// Of the severities.
    pub probabilities: Probabilities,
    /// With probabilities, most relevant first; empty when Safe.
    pub categories: Vec<(Category, f32)>,
    /// Gen judging a response: whether it refuses, and how probably.
    pub refusal: Option<(bool, f32)>,
    /// Tokens of the rendered conversation.
    pub prompt_tokens: i32,
    /// Of these, taken from a kept state.
    pub cached_tokens: i32,
    /// Decoded after the prompt.
    pub generated_tokens: i32,
    /// Time that the call took.
    pub latency_ms: f64,
    /// The verdict as the model wrote it; Gen only.
    pub text: String,
}

/// Room for a verdict and its text.
pub(crate) struct VerdictPlace {
    pub raw: sys::q3g_verdict,
    text: Box<[u8; 2048]>,
}

impl VerdictPlace {
    pub fn new() -> Self {
        let mut raw: sys::q3g_verdict = crate::zeroed();
        let mut text = Box::new([0u8; 2048]);
        raw.struct_size = crate::size::<sys::q3g_verdict>();
        raw.text = text.as_mut_ptr().cast();
        raw.text_capacity = text.len();
        Self { raw, text }
    }
    pub fn verdict(&self) -> Verdict {
        verdict_of(&self.raw, &self.text[..])
    }
}

/// `text`: the buffer that raw.text points to.
pub(crate) fn verdict_of(raw: &sys::q3g_verdict, text: &[u8]) -> Verdict {
    let n = (raw.n_categories.max(0) as usize).min(sys::Q3G_CATEGORY_COUNT);
    Verdict {
        severity: Severity::of(raw.severity),
        action: Action::of(raw.action),
        probabilities: Probabilities::of(raw.probabilities),
        categories: (0..n).map(|i| (Category::of(raw.categories[i]), raw.category_probabilities[i])).collect(),
        refusal: (raw.has_refusal != 0).then_some((raw.refusal != 0, raw.refusal_probability)),
        prompt_tokens: raw.prompt_tokens,
        cached_tokens: raw.cached_tokens,
        generated_tokens: raw.generated_tokens,
        latency_ms: raw.latency_ms,
        text: String::from_utf8_lossy(text.get(..raw.text_bytes).unwrap_or(b"")).into_owned(),
    }
}

/// Judgement of one token.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenVerdict {
    /// The most probable one.
    pub severity: Severity,
    /// Of the severities.
    pub probabilities: Probabilities,
    /// The most probable one; meaningful unless Safe.
    pub category: Category,
    /// By category.
    pub category_probabilities: [f32; sys::Q3G_CATEGORY_COUNT],
    /// Index of the token in the conversation.
    pub position: i32,
    /// The token.
    pub id: i32,
    /// Where the verdict comes from.
    pub source: Source,
    /// The policy's flag is up at this token.
    pub is_flagged: bool,
    /// For the decision.
    pub counts: bool,
    /// No text that follows can change the token.
    pub is_settled: bool,
    /// Where the token comes from in the turn's text, in bytes.
    pub bytes: std::ops::Range<i64>,
}

impl TokenVerdict {
    pub(crate) fn of(raw: &sys::q3g_token_verdict) -> Self {
        Self {
            severity: Severity::of(raw.severity),
            probabilities: Probabilities::of(raw.probabilities),
            category: Category::of(raw.category),
            category_probabilities: raw.category_probabilities,
            position: raw.position,
            id: raw.id,
            source: Source::of(raw.source),
            is_flagged: raw.is_flagged != 0,
            counts: raw.counts != 0,
            is_settled: raw.is_settled != 0,
            bytes: raw.byte_begin..raw.byte_end,
        }
    }
    pub(crate) fn to_c(&self) -> sys::q3g_token_verdict {
        sys::q3g_token_verdict {
            severity: self.severity.value(),
            probabilities: self.probabilities.to_c(),
            category: self.category.value(),
            category_probabilities: self.category_probabilities,
            position: self.position,
            id: self.id,
            source: self.source.value(),
            is_flagged: self.is_flagged.into(),
            counts: self.counts.into(),
            is_settled: self.is_settled.into(),
            byte_begin: self.bytes.start,
            byte_end: self.bytes.end,
            ..crate::sized()
        }
    }
}

/// What the policy made of a turn so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// How bad.
    pub severity: Severity,
    /// Index in the conversation of the token where it fell.
    pub position: Option<i32>,
    /// What made it fall.
    pub reason: Reason,
    /// Tokens of the run up to that one, it included.
    pub n_run_tokens: i32,
    /// The policy's flag is up at the last token.
    pub is_flagged: bool,
    /// False: part of the turn was not judged.
    pub is_complete: bool,
    /// Where the run begins in the turn's text: what to take back starts here.
    pub run_byte_begin: i64,
    raw: RawDecision,
}

#[derive(Clone)]
struct RawDecision(sys::q3g_decision);
impl fmt::Debug for RawDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}
impl PartialEq for RawDecision {
    fn eq(&self, other: &Self) -> bool {
        self.0.category == other.0.category && self.0.probabilities == other.0.probabilities
    }
}

impl Decision {
    pub(crate) fn of(raw: &sys::q3g_decision) -> Self {
        Self {
            severity: Severity::of(raw.severity),
            position: (raw.position >= 0).then_some(raw.position),
            reason: Reason::of(raw.reason),
            n_run_tokens: raw.n_run_tokens,
            is_flagged: raw.is_flagged != 0,
            is_complete: raw.is_complete != 0,
            run_byte_begin: raw.run_byte_begin,
            raw: RawDecision(*raw),
        }
    }

    /// The token where it fell: its category, probabilities of the severities, and bytes in the turn's text.
    pub fn token(&self) -> Option<(Category, Probabilities, std::ops::Range<i64>)> {
        let raw = &self.raw.0;
        (raw.has_token != 0)
            .then(|| (Category::of(raw.category), Probabilities::of(raw.probabilities), raw.byte_begin..raw.byte_end))
    }

    /// One sentence for a person.
    pub fn explain(&self) -> Result<String> {
        crate::text_of(|text, capacity, n, err| unsafe {
            sys::q3g_decision_explain(&self.raw.0, text, capacity, n, err)
        })
    }
}

/// What a change did to the verdicts of the open turn.
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

/// A place in a conversation, for [`Stream::rewind`](crate::Stream::rewind).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub(crate) turn: u64,
    pub(crate) n_units: i64,
    pub(crate) is_closed: bool,
}

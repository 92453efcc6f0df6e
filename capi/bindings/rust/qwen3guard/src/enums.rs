// SPDX-License-Identifier: Apache-2.0
//! Enums of results. Lists may grow: `Other` is a value that a newer library has and this crate has not.
use std::{cmp::Ordering, fmt, str::FromStr};

use qwen3guard_sys as sys;

use crate::{c::static_text, error::call, Error, Result};

macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $value:expr),+ $(,)? } $(, $names:ident)?) => {
        $(#[$doc])*
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
            #[must_use]
            pub fn value(self) -> i32 {
                match self {
                    $(Self::$item => $value,)+
                    Self::Other(value) => value,
                }
            }
        }

        $(impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // SAFETY: names have static storage, and every value has one.
                f.pad(unsafe { static_text(sys::$names(self.value())) })
            }
        })?
    };
}

/// The order of an enum whose value 0 says that nothing was judged. It compares with nothing, as a NaN does: `x < Unsafe`
/// and `x <= Allow` are false of it, and there is no `max()` in which it gets lost.
macro_rules! order_of_judged {
    ($name:ident, $not_judged:ident) => {
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                let rank = |value: &Self| (matches!(value, Self::Other(_)), value.value());
                match (self, other) {
                    (Self::$not_judged, Self::$not_judged) => Some(Ordering::Equal),
                    (Self::$not_judged, _) | (_, Self::$not_judged) => None,
                    _ => Some(rank(self).cmp(&rank(other))),
                }
            }
        }
    };
}

open_enum!(
    /// How bad. From `Safe` on ordered by harm; `NotJudged` is neither less nor greater than any other.
    #[derive(Default)]
    Severity {
        /// Nothing was judged, or not all of it. Treat it as an error; it does not mean Safe.
        #[default]
        NotJudged = 0,
        /// Harmless in most settings.
        Safe = 1,
        /// Harmful or not, depending on the setting.
        Controversial = 2,
        /// Harmful in most settings.
        Unsafe = 3,
    },
    q3g_severity_name
);
order_of_judged!(Severity, NotJudged);
open_enum!(
    /// The policy's categories.
    #[derive(PartialOrd, Ord)]
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
    /// What a host should do. From `Allow` on ordered by harm; `None` is neither less nor greater than any other.
    #[derive(Default)]
    Action {
        /// Nothing was judged, so there is no advice. It does not mean Allow.
        #[default]
        None = 0,
        /// Pass it on.
        Allow = 1,
        /// Pass it on, and tell somebody.
        Flag = 2,
        /// Do not pass it on.
        Block = 3,
    },
    q3g_action_name
);
order_of_judged!(Action, None);
open_enum!(
    /// Who speaks.
    #[derive(PartialOrd, Ord)]
    Role {
        /// The system prompt.
        System = 0,
        /// The user.
        User = 1,
        /// The model.
        Assistant = 2,
        /// A tool that the model called; a turn that only `restore` and `push_conversation` make.
        Tool = 3,
    },
    q3g_role_name
);
open_enum!(
    /// Where a token's verdict comes from.
    #[derive(Default, PartialOrd, Ord)]
    Source {
        /// Nowhere: the token was not judged, and its severity is [`Severity::NotJudged`].
        #[default]
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
    #[derive(Default, PartialOrd, Ord)]
    Reason {
        /// No token decided: it is Safe, or nothing was judged.
        #[default]
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
    #[derive(PartialOrd, Ord)]
    ModelKind {
        /// Writes a verdict.
        Gen = 0,
        /// Judges every token.
        Stream = 1,
    }
);

impl Category {
    /// All that this crate knows, by [`Category::value`].
    pub const ALL: [Self; sys::Q3G_CATEGORY_COUNT] = [
        Self::Violent,
        Self::NonViolentIllegalActs,
        Self::SexualContent,
        Self::Pii,
        Self::SuicideSelfHarm,
        Self::UnethicalActs,
        Self::PoliticallySensitive,
        Self::CopyrightViolation,
        Self::Jailbreak,
    ];
}

/// By the names that `Display` writes, but not that of `NotJudged`. Errors: `InvalidArgument`.
impl FromStr for Severity {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        let mut out = 0;
        call(|err| unsafe { sys::q3g_parse_severity(name.as_ptr().cast(), name.len(), &mut out, err) })?;
        Ok(Self::of(out))
    }
}

/// By the names that `Display` writes, and the long spelling of PII. Errors: `InvalidArgument`.
impl FromStr for Category {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        let mut out = 0;
        call(|err| unsafe { sys::q3g_parse_category(name.as_ptr().cast(), name.len(), &mut out, err) })?;
        Ok(Self::of(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_judged_compares_with_nothing() {
        let judged =
            [Severity::Safe, Severity::Controversial, Severity::Unsafe, Severity::Other(-7), Severity::Other(9)];
        for (i, a) in judged.iter().enumerate() {
            assert_eq!((Severity::NotJudged.partial_cmp(a), a.partial_cmp(&Severity::NotJudged)), (None, None));
            for (j, b) in judged.iter().enumerate() {
                assert_eq!(a.partial_cmp(b), Some(i.cmp(&j)));
            }
        }
        for action in [Action::Allow, Action::Flag, Action::Block] {
            assert_eq!((Action::None.partial_cmp(&action), action.partial_cmp(&Action::None)), (None, None));
        }
        assert!(Action::Allow < Action::Flag && Action::Flag < Action::Block);
        assert!(Severity::NotJudged >= Severity::NotJudged);
    }
}

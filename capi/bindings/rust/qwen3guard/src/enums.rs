// SPDX-License-Identifier: Apache-2.0
//! Enums of results. Lists may grow: `Other` is a value that a newer library has and this crate has not.
use std::{fmt, str::FromStr};

use qwen3guard_sys as sys;

use crate::{c::static_text, error::call, Error, Result};

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

/// By the names that `Display` writes. Errors: `InvalidArgument`.
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

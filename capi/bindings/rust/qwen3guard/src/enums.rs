// SPDX-License-Identifier: Apache-2.0
//! Enums. The lists of results may grow: `Other` is a value that a newer library has and this crate has not.
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

/// An enum of options, of which the library knows every value that a caller can name.
macro_rules! closed_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $value:expr),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$item_doc])* $item = $value,)+
        }
    };
}

include!("enum_lists.rs");

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

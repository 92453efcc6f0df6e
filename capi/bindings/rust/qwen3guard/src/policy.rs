// SPDX-License-Identifier: Apache-2.0
//! What to do about verdicts.
use std::{path::Path, ptr::null, sync::Arc};

use qwen3guard_sys as sys;

use crate::{
    c::{sized, static_text, text_of},
    error::call,
    load::path_bytes,
    Action, Decision, Result, Role, Ruling, TokenVerdict, Verdict,
};

crate::c::handle!(
    /// The owner of the C handle.
    Handle,
    q3g_policy,
    q3g_policy_free
);
// SAFETY: "any thread" in qwen3guard.h.
unsafe impl Send for Handle {}
unsafe impl Sync for Handle {}

/// What to do about verdicts: a document (docs/policy.md), read and checked. Immutable, `Send + Sync`, and cheap to clone:
/// clones share it. The default blocks what is Unsafe or Controversial, by the published evaluation's rule.
///
/// ```
/// # fn main() -> qwen3guard::Result<()> {
/// use qwen3guard::{Action, ClassifyOptions, Guard, Policy};
/// let policy = Policy::preset("chat-game")?; // or Policy::load("policy.json")
/// let options = ClassifyOptions { policy: Some(&policy), ..Default::default() };
/// let verdict = Guard::embedded("nano-gen")?.classify_prompt_with("Good morning!", options)?;
/// assert_eq!(verdict.ruling.action, Action::Allow);
/// assert_eq!(verdict.ruling.policy_name, "chat-game");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Policy(Option<Arc<Handle>>);

impl Policy {
    fn of(handle: Handle) -> Self {
        Self(Some(Arc::new(handle)))
    }

    /// NULL, for the default policy, is good wherever C takes a policy.
    pub(crate) fn ptr(policy: Option<&Self>) -> *const sys::q3g_policy {
        policy.and_then(|policy| policy.0.as_ref()).map_or(null(), |handle| handle.raw.as_ptr().cast_const())
    }

    fn raw(&self) -> *const sys::q3g_policy {
        Self::ptr(Some(self))
    }

    /// Reads a policy's file. The path must be UTF-8. Errors: those of [`Policy::parse`]; `FileNotFound`, `Io`,
    /// `InvalidUtf8` (the path).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path_bytes(path.as_ref());
        Handle::make(|out, err| unsafe { sys::q3g_policy_load(path.as_ptr().cast(), path.len(), out, err) })
            .map(Self::of)
    }

    /// Reads a policy's JSON text. Errors: `InvalidArgument` (line and path of what is wrong, and what was expected),
    /// `UnsupportedModel` (lists, in a library without RE2).
    pub fn parse(json: impl AsRef<[u8]>) -> Result<Self> {
        let json = json.as_ref();
        Handle::make(|out, err| unsafe { sys::q3g_policy_parse(json.as_ptr().cast(), json.len(), out, err) })
            .map(Self::of)
    }

    /// A policy of the library: one of [`Policy::presets`]. Errors: `InvalidArgument` (with the names there are).
    pub fn preset(name: &str) -> Result<Self> {
        Handle::make(|out, err| unsafe { sys::q3g_policy_preset(name.as_ptr().cast(), name.len(), out, err) })
            .map(Self::of)
    }

    /// Names of the policies of the library.
    #[must_use]
    pub fn presets() -> Vec<&'static str> {
        // SAFETY: static storage.
        (0..).map(|i| unsafe { static_text(sys::q3g_policy_preset_name(i)) }).take_while(|n| !n.is_empty()).collect()
    }

    /// The policy as a document that [`Policy::parse`] reads back to an equal one.
    pub fn to_json(&self) -> Result<String> {
        text_of(|text, capacity, n, err| unsafe { sys::q3g_policy_to_json(self.raw(), text, capacity, n, err) })
    }

    /// What the policy does, in plain words: some lines for a person.
    pub fn describe(&self) -> Result<String> {
        text_of(|text, capacity, n, err| unsafe { sys::q3g_policy_describe(self.raw(), text, capacity, n, err) })
    }

    /// What to do about a text that could not be judged, because a call failed: [`Action::None`] or [`Action::Block`],
    /// never to allow it.
    pub fn unjudged_action(&self) -> Result<Action> {
        let mut out = 0;
        call(|err| unsafe { sys::q3g_policy_unjudged_action(self.raw(), &mut out, err) })?;
        Ok(Action::of(out))
    }

    /// What this policy makes of a verdict that was given under another one, or was stored: bit for bit what classifying
    /// under it would have given. `text` is the judged message, which only a policy with lists needs. Errors:
    /// `InvalidArgument` (a Stream checkpoint's verdict, whose tokens [`Policy::decide`] takes; no text for a policy with
    /// lists; a value that the library does not know).
    pub fn decide_verdict(&self, verdict: &Verdict, text: impl AsRef<[u8]>) -> Result<Ruling> {
        let (text, mut raw) = (text.as_ref(), verdict.to_c());
        call(|err| unsafe {
            sys::q3g_policy_decide_verdict(self.raw(), &mut raw, text.as_ptr().cast(), text.len(), err)
        })?;
        Ok(Ruling::of_verdict(&raw))
    }

    /// The decision over the verdicts of one turn of this role; sets their `action`. `has_ended`: the turn is over. Lists
    /// have no part in it. Errors: `InvalidArgument` (a value that the library does not know).
    pub fn decide(&self, role: Role, tokens: &mut [TokenVerdict], has_ended: bool) -> Result<Decision> {
        let mut raw: Vec<_> = tokens.iter().map(TokenVerdict::to_c).collect();
        let mut out: sys::q3g_decision = sized();
        call(|err| unsafe {
            let (at, n) = (raw.as_mut_ptr(), raw.len());
            sys::q3g_policy_decide(self.raw(), role.value(), at, n, has_ended.into(), &mut out, err)
        })?;
        for (token, raw) in tokens.iter_mut().zip(&raw) {
            token.action = Action::of(raw.action);
        }
        Ok(Decision::of(&out))
    }
}

// SPDX-License-Identifier: Apache-2.0
//! What became of pushes to a batch.
use std::{iter::FusedIterator, time::Duration, vec};

use qwen3guard_sys as sys;

use crate::{
    c::sized,
    error::{call, slot},
    values::tokens_of,
    verdict::VerdictPlace,
    Batch, Decision, Error, Result, Role, TokenVerdict, Turn, Update,
};

/// What kind of event.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// Tokens were judged.
    Update,
    /// A turn ended.
    TurnEnd(Box<Turn>),
    /// A push failed and left the session as it was.
    Error(Error),
    /// The deadline of a push has passed and nothing is known of it: it still waits, and its verdict comes as an event of its
    /// own. Once for a push; pieces of text that wait together may share one.
    Overdue,
    /// A kind that a newer library has.
    Other(i32),
}

/// What became of something that was pushed.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What kind.
    pub kind: EventKind,
    /// What was judged.
    pub update: Update,
    /// Of the turn, behind the update.
    pub decision: Decision,
    /// Milliseconds from the (oldest joined) push to the verdict.
    pub waited_ms: f64,
    /// Later than its deadline.
    pub is_late: bool,
}

pub(crate) struct RawEvents(pub *mut sys::q3g_events);
impl Drop for RawEvents {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own, or NULL.
        unsafe { sys::q3g_events_free(self.0) }
    }
}

impl RawEvents {
    pub fn len(&self) -> usize {
        unsafe { sys::q3g_events_count(self.0) }
    }

    pub fn get(&self, i: usize) -> Result<Event> {
        let (mut raw, mut failure) = (sized::<sys::q3g_event>(), slot());
        let mut decision: sys::q3g_decision = sized();
        call(|err| unsafe { sys::q3g_events_get(self.0, i, &mut raw, &mut failure, err) })?;
        call(|err| unsafe { sys::q3g_events_decision(self.0, i, &mut decision, err) })?;
        let mut tokens: Vec<sys::q3g_token_verdict> = vec![sized(); raw.n_tokens];
        call(|err| unsafe { sys::q3g_events_tokens(self.0, i, tokens.as_mut_ptr(), tokens.len(), err) })?;
        let kind = match raw.kind {
            sys::Q3G_EVENT_TURN_END => {
                let mut prompt: sys::q3g_token_verdict = sized();
                let written = VerdictPlace::read(|written, err| unsafe {
                    sys::q3g_events_turn(self.0, i, &mut prompt, written, err)
                })?;
                EventKind::TurnEnd(Box::new(Turn {
                    role: Role::of(raw.role),
                    decision: Decision::of(&decision),
                    prompt: (raw.has_prompt != 0).then(|| TokenVerdict::of(&prompt)),
                    written: (raw.has_written != 0).then_some(written),
                }))
            }
            sys::Q3G_EVENT_ERROR => EventKind::Error(Error::of(raw.status, &failure)),
            sys::Q3G_EVENT_UPDATE => EventKind::Update,
            sys::Q3G_EVENT_OVERDUE => EventKind::Overdue,
            other => EventKind::Other(other),
        };
        Ok(Event {
            kind,
            update: Update {
                first: raw.first,
                tokens: tokens_of(&tokens),
                n_settled: raw.n_settled,
                stopped_at_byte: (raw.stopped_at_byte >= 0).then_some(raw.stopped_at_byte),
            },
            decision: Decision::of(&decision),
            waited_ms: raw.waited_ms,
            is_late: raw.is_late != 0,
        })
    }
}

/// A session's events one by one, from [`Batch::events`].
#[must_use = "nothing is polled until the iterator is advanced"]
#[derive(Debug)]
pub struct Events<'a> {
    batch: &'a Batch,
    session: u64,
    timeout: Duration,
    polled: vec::IntoIter<Event>,
    has_ended: bool,
}

impl Batch {
    /// Polls a session again and again: its events until nothing is left to wait for, none came for `timeout`, or polling
    /// failed. Somebody has to step: [`Batch::start`] makes a thread for it.
    ///
    /// ```
    /// # fn main() -> qwen3guard::Result<()> {
    /// use std::time::Duration;
    /// use qwen3guard::{Action, Batch, BatchOptions, Guard};
    /// let batch = Batch::open(&Guard::embedded("nano-stream")?, BatchOptions::default())?;
    /// batch.start()?;
    /// let session = batch.add(&Default::default())?;
    /// batch.push_prompt(session, "Hello!", None)?;
    /// batch.push_text(session, "Good morning!", None)?;
    /// batch.end_turn(session, None)?;
    /// for event in batch.events(session, Duration::from_secs(60)) {
    ///     assert_ne!(event?.decision.action, Action::Block);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn events(&self, session: u64, timeout: Duration) -> Events<'_> {
        Events { batch: self, session, timeout, polled: Vec::new().into_iter(), has_ended: false }
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.polled.as_slice().is_empty() && !self.has_ended {
            match self.batch.poll(self.session, self.timeout) {
                Ok(events) => self.polled = events.into_iter(),
                Err(error) => {
                    self.has_ended = true;
                    return Some(Err(error));
                }
            }
        }
        let event = self.polled.next();
        self.has_ended |= event.is_none();
        event.map(Ok)
    }
}

impl FusedIterator for Events<'_> {}

// SPDX-License-Identifier: Apache-2.0
//! Many live conversations over one model.
use std::{ffi::c_void, mem::ManuallyDrop, ptr::null_mut, time::Duration};

use qwen3guard_sys as sys;

use crate::{
    callback::Guarded,
    error::{call, slot, Error, Result},
    sized,
    values::VerdictPlace,
    Decision, Guard, Role, Stream, StreamOptions, TokenVerdict, Turn, Update,
};

crate::handle!(
    /// Many conversations in common matrix products. Sessions are named by the numbers that [`Batch::add`] returns.
    /// Deadlines count from now; None: the default.
    Batch,
    q3g_batch,
    q3g_batch_free
);
// "any thread" in qwen3guard.h.
unsafe impl Send for Batch {}
unsafe impl Sync for Batch {}

/// Bounds of a batch; None: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct BatchOptions {
    /// Bytes of all sessions; 0: no bound.
    pub memory_budget_bytes: usize,
    /// Of one session's text that waits.
    pub max_waiting_bytes: Option<usize>,
    /// Rows of one forward, 1 to 4096.
    pub max_step_tokens: Option<i32>,
    /// Of one session in it.
    pub max_session_tokens: Option<i32>,
    /// How soon a verdict is due.
    pub default_deadline: Option<Duration>,
}

/// Counters of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct BatchStats {
    pub n_sessions: u64,
    pub n_waiting_sessions: u64,
    pub memory_bytes: u64,
    pub n_steps: u64,
    pub n_tokens: u64,
    pub n_late: u64,
}

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
}

/// What became of something that was pushed.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What kind.
    pub kind: EventKind,
    /// What was judged.
    pub update: Update,
    /// Of the turn, behind the update.
    pub decision: Decision,
    /// From the (oldest joined) push to the verdict.
    pub waited_ms: f64,
    /// Later than its deadline.
    pub is_late: bool,
}

fn deadline_ms(deadline: Option<Duration>) -> f64 {
    deadline.map_or(-1.0, |d| d.as_secs_f64() * 1e3)
}

struct Events(*mut sys::q3g_events);
impl Drop for Events {
    fn drop(&mut self) {
        unsafe { sys::q3g_events_free(self.0) }
    }
}

impl Events {
    fn get(&self, i: usize) -> Result<Event> {
        let (mut raw, mut failure) = (sized::<sys::q3g_event>(), slot());
        let mut decision: sys::q3g_decision = sized();
        call(|err| unsafe { sys::q3g_events_get(self.0, i, &mut raw, &mut failure, err) })?;
        call(|err| unsafe { sys::q3g_events_decision(self.0, i, &mut decision, err) })?;
        let mut tokens: Vec<sys::q3g_token_verdict> = vec![sized(); raw.n_tokens];
        call(|err| unsafe { sys::q3g_events_tokens(self.0, i, tokens.as_mut_ptr(), tokens.len(), err) })?;
        let kind = match raw.kind {
            sys::Q3G_EVENT_TURN_END => {
                let (mut prompt, mut written) = (sized::<sys::q3g_token_verdict>(), VerdictPlace::new());
                call(|err| unsafe { sys::q3g_events_turn(self.0, i, &mut prompt, &mut written.raw, err) })?;
                EventKind::TurnEnd(Box::new(Turn {
                    role: Role::of(raw.role),
                    decision: Decision::of(&decision),
                    prompt: (raw.has_prompt != 0).then(|| TokenVerdict::of(&prompt)),
                    written: (raw.has_written != 0).then(|| written.verdict()),
                }))
            }
            sys::Q3G_EVENT_ERROR => EventKind::Error(Error::of(raw.status, &failure)),
            _ => EventKind::Update,
        };
        Ok(Event {
            kind,
            update: Update {
                first: raw.first,
                tokens: tokens.iter().map(TokenVerdict::of).collect(),
                n_settled: raw.n_settled,
                stopped_at_byte: (raw.stopped_at_byte >= 0).then_some(raw.stopped_at_byte),
            },
            decision: Decision::of(&decision),
            waited_ms: raw.waited_ms,
            is_late: raw.is_late != 0,
        })
    }
}

impl Batch {
    /// Opens a batch.
    pub fn open(guard: &Guard, options: BatchOptions) -> Result<Self> {
        let mut raw: sys::q3g_batch_options = sized();
        unsafe { sys::q3g_batch_options_init(&mut raw, std::mem::size_of_val(&raw)) };
        raw.memory_budget_bytes = options.memory_budget_bytes;
        raw.max_waiting_bytes = options.max_waiting_bytes.unwrap_or(raw.max_waiting_bytes);
        raw.max_step_tokens = options.max_step_tokens.unwrap_or(raw.max_step_tokens);
        raw.max_session_tokens = options.max_session_tokens.unwrap_or(raw.max_session_tokens);
        if let Some(deadline) = options.default_deadline {
            raw.default_deadline_ms = deadline.as_secs_f64() * 1e3;
        }
        Self::make(|out, err| unsafe { sys::q3g_batch_open(guard.raw.as_ptr(), &raw, out, err) })
    }

    /// A new session. Errors: `BudgetExceeded`.
    pub fn add(&self, options: &StreamOptions<'_>) -> Result<u64> {
        let mut id = 0;
        options.with_c(|raw| call(|err| unsafe { sys::q3g_batch_add(self.raw.as_ptr(), raw, &mut id, err) }))?;
        Ok(id)
    }

    /// Takes a stream in, with its past. On error it is lost.
    pub fn add_stream(&self, stream: Stream) -> Result<u64> {
        let mut id = 0;
        let stream = ManuallyDrop::new(stream); // the library frees the handle, whatever comes of it
        call(|err| unsafe { sys::q3g_batch_add_stream(self.raw.as_ptr(), stream.raw.as_ptr(), &mut id, err) })?;
        Ok(id)
    }

    /// Drops a session.
    pub fn remove(&self, session: u64) -> Result<()> {
        call(|err| unsafe { sys::q3g_batch_remove(self.raw.as_ptr(), session, err) })
    }

    /// Queues a prompt; what is wrong with the text comes as an event.
    pub fn push_prompt(&self, session: u64, prompt: impl AsRef<[u8]>, deadline: Option<Duration>) -> Result<()> {
        let (text, due) = (prompt.as_ref(), deadline_ms(deadline));
        call(|err| unsafe {
            sys::q3g_batch_push_prompt(self.raw.as_ptr(), session, text.as_ptr().cast(), text.len(), due, err)
        })
    }

    /// Queues the beginning of a turn.
    pub fn begin_turn(&self, session: u64, role: Role) -> Result<()> {
        call(|err| unsafe { sys::q3g_batch_begin_turn(self.raw.as_ptr(), session, role.value(), err) })
    }

    /// Queues text.
    pub fn push_text(&self, session: u64, text: impl AsRef<[u8]>, deadline: Option<Duration>) -> Result<()> {
        let (text, due) = (text.as_ref(), deadline_ms(deadline));
        call(|err| unsafe {
            sys::q3g_batch_push_text(self.raw.as_ptr(), session, text.as_ptr().cast(), text.len(), due, err)
        })
    }

    /// Queues tokens.
    pub fn push_tokens(&self, session: u64, ids: &[i32], deadline: Option<Duration>) -> Result<()> {
        let due = deadline_ms(deadline);
        call(|err| unsafe { sys::q3g_batch_push_tokens(self.raw.as_ptr(), session, ids.as_ptr(), ids.len(), due, err) })
    }

    /// Queues the end of a turn.
    pub fn end_turn(&self, session: u64, deadline: Option<Duration>) -> Result<()> {
        call(|err| unsafe { sys::q3g_batch_end_turn(self.raw.as_ptr(), session, deadline_ms(deadline), err) })
    }

    /// Takes a session's events; waits for the first one at most so long.
    pub fn poll(&self, session: u64, timeout: Duration) -> Result<Vec<Event>> {
        let (mut events, timeout_ms) = (Events(null_mut()), timeout.as_secs_f64() * 1e3);
        call(|err| unsafe { sys::q3g_batch_poll(self.raw.as_ptr(), session, timeout_ms, &mut events.0, err) })?;
        (0..unsafe { sys::q3g_events_count(events.0) }).map(|i| events.get(i)).collect()
    }

    /// Runs `visit` on this thread while nobody else uses the session.
    pub fn visit<T>(&self, session: u64, mut visit: impl FnMut(&mut Stream) -> T) -> Result<T> {
        unsafe extern "C" fn run(user: *mut c_void, stream: *mut sys::q3g_stream) {
            let guarded = unsafe { &mut *user.cast::<Guarded<'_, dyn FnMut(&mut Stream)>>() };
            if let Some(raw) = std::ptr::NonNull::new(stream) {
                // It is the batch's: not freed here.
                let mut stream = ManuallyDrop::new(Stream { raw });
                guarded.run(|closure| closure(&mut stream));
            }
        }
        let mut out = None;
        let mut closure = |stream: &mut Stream| out = Some(visit(stream));
        let mut guarded = Guarded::<dyn FnMut(&mut Stream)>::new(&mut closure);
        let user = guarded.user();
        let status = call(|err| unsafe { sys::q3g_batch_visit(self.raw.as_ptr(), session, Some(run), user, err) });
        guarded.resume();
        status?;
        Ok(out.expect("a visit without an error has run the closure"))
    }

    /// Judges what waits until nothing does or the time is up; the number of tokens judged.
    pub fn step(&self, budget: Option<Duration>, must_run: bool) -> Result<usize> {
        let (mut n, budget_ms) = (0, budget.map_or(1e9, |b| b.as_secs_f64() * 1e3));
        call(|err| unsafe { sys::q3g_batch_step(self.raw.as_ptr(), budget_ms, must_run.into(), &mut n, err) })?;
        Ok(n)
    }

    /// Makes a thread that steps until [`Batch::stop`] or the batch is dropped.
    pub fn start(&self) -> Result<()> {
        call(|err| unsafe { sys::q3g_batch_start(self.raw.as_ptr(), err) })
    }

    /// Ends that thread.
    pub fn stop(&self) -> Result<()> {
        call(|err| unsafe { sys::q3g_batch_stop(self.raw.as_ptr(), err) })
    }

    /// Counters.
    pub fn stats(&self) -> Result<BatchStats> {
        let mut raw: sys::q3g_batch_stats = sized();
        call(|err| unsafe { sys::q3g_batch_get_stats(self.raw.as_ptr(), &mut raw, err) })?;
        Ok(BatchStats {
            n_sessions: raw.n_sessions,
            n_waiting_sessions: raw.n_waiting_sessions,
            memory_bytes: raw.memory_bytes,
            n_steps: raw.n_steps,
            n_tokens: raw.n_tokens,
            n_late: raw.n_late,
        })
    }
}

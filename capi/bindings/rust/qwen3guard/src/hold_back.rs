// SPDX-License-Identifier: Apache-2.0
//! Text that is shown only when it was judged.
use std::{
    fmt,
    iter::FusedIterator,
    marker::PhantomData,
    task::{Context, Poll},
    time::Duration,
};

use qwen3guard_sys as sys;

use crate::{
    c::{defaults, sized},
    error::call,
    stepper::Stepped,
    Batch, Decision, Error, ErrorKind, HoldBackState, HoldBackStats, Result, StreamRef,
};

/// Bytes that a call takes at once.
const ROOM: usize = 1024;
/// How long the iterator waits for a batch at a time.
const POLL: Duration = Duration::from_millis(100);

crate::c::handle!(
    /// The owner of the C handle.
    Handle,
    q3g_hold_back,
    q3g_hold_back_free
);
// SAFETY: "one thread" at a time, never mind which.
unsafe impl Send for Handle {}

/// How text is held back. The defaults are those of real-time intervention in arXiv:2510.14276 (CARE).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HoldBackOptions {
    /// Text leaves when so many settled tokens of the guard stand behind it; at least 0.
    pub buffer_tokens: i32,
    /// Or when it was put so long ago, whatever stands behind it; None: never for that reason. It must be judged and settled in any
    /// case.
    pub release_after: Option<Duration>,
    /// How often [`HoldBack::retry`] may be called; at least 0.
    pub max_retries: i32,
    /// A block that text to come may still lift is reported, too, with [`HoldBackBlock::is_settled`] false.
    pub reports_provisional: bool,
    /// Over a batch: of each push; None: the batch's default.
    pub deadline: Option<Duration>,
}

impl Default for HoldBackOptions {
    fn default() -> Self {
        Self { buffer_tokens: 40, release_after: None, max_retries: 5, reports_provisional: false, deadline: None }
    }
}

impl HoldBackOptions {
    fn to_c(self) -> sys::q3g_hold_back_options {
        sys::q3g_hold_back_options {
            buffer_tokens: self.buffer_tokens,
            release_after_ms: self.release_after.map_or(0.0, |age| age.as_secs_f64() * 1e3),
            max_retries: self.max_retries,
            reports_provisional: self.reports_provisional.into(),
            deadline_ms: self.deadline.map_or(-1.0, |deadline| deadline.as_secs_f64() * 1e3),
            ..defaults(sys::q3g_hold_back_options_init)
        }
    }
}

/// Why text is held back for good, and where its host can go on. Bytes are offsets in the turn's text.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct HoldBackBlock {
    /// What was found, and the ruling.
    pub decision: Decision,
    /// Over a batch: the prompt is blocked, and there is nothing to retry.
    pub is_prompt: bool,
    /// False: text to come may lift it ([`HoldBackOptions::reports_provisional`]).
    pub is_settled: bool,
    /// What is to be taken back begins here. Less than `shown_bytes` where the beginning was harmless until more came, or
    /// the buffer is short.
    pub byte_begin: i64,
    /// Of the text, those that were taken.
    pub shown_bytes: i64,
    /// Where the host goes on unless it says otherwise: behind what was shown, so that all that was held back is written
    /// again.
    pub continue_byte: i64,
    /// Before [`HoldBack::retry`] is refused.
    pub retries_left: i32,
}

impl HoldBackBlock {
    fn of(raw: &sys::q3g_hold_back_release, decision: &sys::q3g_decision) -> Self {
        Self {
            decision: Decision::of(decision),
            is_prompt: raw.is_prompt != 0,
            is_settled: raw.is_settled != 0,
            byte_begin: raw.byte_begin,
            shown_bytes: raw.shown_bytes,
            continue_byte: raw.continue_byte,
            retries_left: raw.retries_left,
        }
    }
}

/// What came out of a [`HoldBack`].
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct HoldBackRelease {
    /// Goes behind what was taken before; may be empty. What was put and is not UTF-8 is U+FFFD, as which it was judged.
    pub text: String,
    /// Where the answer stands behind that text.
    pub state: HoldBackState,
    /// Over a batch: something waits past its deadline for its verdict.
    pub is_overdue: bool,
    /// Of the oldest byte in `text`, since it was put.
    pub waited: Duration,
    /// The state is blocked, or something is provisionally.
    pub block: Option<HoldBackBlock>,
}

/// One answer of a host's model on its way to a person. The host puts in what the model writes and shows what comes out:
/// [`HoldBack::shown`] does it for an iterator, [`HoldBack::shown_async`] for a task that must not wait.
///
/// What was taken is at every time a prefix of the turn's text that was judged, is settled, and is not blocked; a flag
/// passes. A deadline never releases text that is not. Nothing is lost and nothing comes twice. A turn that ends without
/// being judged completely releases nothing more, nor does one whose session had an error.
///
/// It borrows the stream, or the batch; nobody else may push to its session or poll it until the answer has ended. Dropped,
/// it leaves the session as it is. `Send`, but not `Sync`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use qwen3guard::{Guard, Stream};
/// let mut stream = Stream::open(&Guard::embedded("nano-stream")?)?;
/// stream.push_prompt("Hello!")?;
/// let mut hold = stream.hold_back(Default::default())?;
/// let text = hold.shown(["Good ", "mor", "ning!"]).collect::<Result<String, _>>()?;
/// assert_eq!(text, "Good morning!");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct HoldBack<'a> {
    handle: Handle,
    /// And the session.
    batch: Option<(&'a Stepped, u64)>,
    /// Was taken before an error came.
    kept: Vec<u8>,
    /// A stream is used by nobody else; of a batch's session the caller sees to that.
    _session: PhantomData<&'a mut StreamRef>,
}

impl StreamRef {
    /// Holds back the open turn, the assistant's, until it has ended. What the turn has already counts as shown. Errors:
    /// `InvalidArgument` (no open turn of the assistant's; an option).
    pub fn hold_back(&mut self, options: HoldBackOptions) -> Result<HoldBack<'_>> {
        let (raw, stream) = (options.to_c(), self.raw());
        let handle = Handle::make(|out, err| unsafe { sys::q3g_hold_back_open(stream, &raw, out, err) })?;
        Ok(HoldBack { handle, batch: None, kept: Vec::new(), _session: PhantomData })
    }
}

impl Batch {
    /// Holds back the answer of a session that has opened the assistant's turn, or has it queued
    /// ([`Batch::push_prompt`]). A prompt that is not judged yet is waited for, and when it is blocked, so is the answer.
    /// Errors: `InvalidArgument` (no such session; an option).
    pub fn hold_back(&self, session: u64, options: HoldBackOptions) -> Result<HoldBack<'_>> {
        let (raw, batch) = (options.to_c(), self.raw());
        let handle = Handle::make(|out, err| unsafe { sys::q3g_hold_back_open_batch(batch, session, &raw, out, err) })?;
        Ok(HoldBack { handle, batch: Some((&self.shared, session)), kept: Vec::new(), _session: PhantomData })
    }
}

impl Drop for HoldBack<'_> {
    fn drop(&mut self) {
        if let Some((batch, session)) = self.batch {
            batch.forget(session);
        }
    }
}

impl<'a> HoldBack<'a> {
    /// Puts the next piece, or finishes behind the last one; false: the batch has no room, which comes with verdicts.
    pub(crate) fn go_on(&mut self, next: Option<&impl AsRef<[u8]>>) -> Result<bool> {
        let done = match next {
            Some(piece) => self.put(piece),
            None => self.finish(),
        };
        match done {
            Err(e) if self.batch.is_some() && e.kind() == ErrorKind::BudgetExceeded => Ok(false),
            done => done.map(|()| true),
        }
    }

    /// A call behind which something may wait to be judged.
    fn change(&mut self, change: impl FnOnce(*mut sys::q3g_error) -> sys::q3g_status) -> Result<()> {
        let changed = call(change);
        if let Some((batch, _)) = self.batch {
            batch.ring();
        }
        changed
    }

    fn raw(&self) -> *mut sys::q3g_hold_back {
        self.handle.raw.as_ptr()
    }

    /// What the host's model has written next: UTF-8, split anywhere. Over a stream it is judged now. Errors:
    /// `InvalidArgument` (blocked, or over); `BudgetExceeded` (a batch: nothing was put; try again); those of
    /// [`StreamRef::push_text`], after which nothing leaves.
    pub fn put(&mut self, text: impl AsRef<[u8]>) -> Result<()> {
        let text = text.as_ref();
        let raw = self.raw();
        self.change(|err| unsafe { sys::q3g_hold_back_put(raw, text.as_ptr().cast(), text.len(), err) })
    }

    /// What may be shown now. Over a batch it waits at most `timeout` for something to happen. Errors: what the session
    /// failed with; `OutOfMemory`.
    pub fn take(&mut self, timeout: Duration) -> Result<HoldBackRelease> {
        let (mut text, mut timeout_ms) = (std::mem::take(&mut self.kept), timeout.as_secs_f64() * 1e3);
        let mut waited_ms = 0.0_f64;
        loop {
            let begin = text.len();
            text.resize(begin + ROOM, 0);
            let (mut raw, mut decision) = (sized::<sys::q3g_hold_back_release>(), sized::<sys::q3g_decision>());
            let taken = call(|err| unsafe {
                let room = text[begin..].as_mut_ptr().cast();
                sys::q3g_hold_back_take(self.raw(), timeout_ms, room, ROOM, &mut raw, &mut decision, err)
            });
            if let Err(error) = taken {
                text.truncate(begin);
                self.kept = text; // may be shown, and comes with the next call
                return Err(error);
            }
            text.truncate(begin + raw.text_bytes.min(ROOM));
            (timeout_ms, waited_ms) = (0.0, waited_ms.max(raw.waited_ms));
            if raw.has_more != 0 && text.len() > begin {
                continue;
            }
            let block = (raw.has_block != 0).then(|| HoldBackBlock::of(&raw, &decision));
            return Ok(HoldBackRelease {
                text: String::from_utf8(text).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
                state: HoldBackState::of(raw.state),
                is_overdue: raw.is_overdue != 0,
                waited: Duration::from_secs_f64(waited_ms.max(0.0) / 1e3),
                block,
            });
        }
    }

    /// The host's model has ended its answer: the turn is ended, and the rest may leave, or is blocked. Errors: as
    /// [`HoldBack::put`].
    pub fn finish(&mut self) -> Result<()> {
        let raw = self.raw();
        self.change(|err| unsafe { sys::q3g_hold_back_finish(raw, err) })
    }

    /// Goes on behind a block: the session is taken back to the first `byte` bytes of the turn's text, and the host puts
    /// what its model writes from there on. None: [`HoldBackBlock::continue_byte`]. A host whose model goes on at a border
    /// of its own passes that; below `shown_bytes` it has taken back what it showed. Errors: `InvalidArgument` (nothing is
    /// blocked, no retries are left, no such byte); then nothing has changed.
    pub fn retry(&mut self, byte: Option<i64>) -> Result<()> {
        let raw = self.raw();
        self.change(|err| unsafe { sys::q3g_hold_back_retry(raw, byte.unwrap_or(-1), err) })
    }

    /// Ends the answer here, blocked or not: what was shown stands, the rest is withdrawn, and the turn is ended as if that
    /// had been all. Errors: `InvalidArgument` (it has ended); `BudgetExceeded` (a batch: try again); others of the
    /// session, after which it has more in its past than was shown: reset it.
    pub fn withdraw(&mut self) -> Result<()> {
        let raw = self.raw();
        self.change(|err| unsafe { sys::q3g_hold_back_withdraw(raw, err) })
    }

    /// Counters.
    pub fn stats(&self) -> Result<HoldBackStats> {
        let mut raw: sys::q3g_hold_back_stats = sized();
        call(|err| unsafe { sys::q3g_hold_back_get_stats(self.raw(), &mut raw, err) })?;
        Ok(HoldBackStats::of(&raw))
    }

    /// Puts each piece of an iterator, and yields what may be shown, which is never empty; behind the last piece it finishes
    /// the turn and yields the rest. Ends when the answer has ended, or behind the first error. After
    /// [`HoldBackError::Blocked`] the host goes on ([`HoldBack::retry`], then this function again with what its model writes
    /// now) or ends ([`HoldBack::withdraw`]).
    ///
    /// Over a batch somebody has to step ([`Batch::start`]): it waits where the batch has no room, and behind the last piece
    /// for the verdicts.
    pub fn shown<I>(&mut self, pieces: I) -> Shown<'_, 'a, I::IntoIter>
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        Shown { hold: self, pieces: Some(pieces.into_iter()), waiting: None, then: None }
    }

    /// What may be shown now, for a task that puts and finishes itself; [`HoldBack::shown_async`] does all of it.
    ///
    /// * `Pending`: nothing may be shown yet. Over a batch the task is woken when something was judged, by the thread of
    ///   [`Batch::start`] or by whoever calls [`Batch::step`]; often, and also for other sessions. Over a stream nothing
    ///   happens between two calls, and nothing wakes it: put, or finish, then poll again. By its age alone
    ///   ([`HoldBackOptions::release_after`]) text leaves when it is polled for, and wakes nobody.
    /// * `Ready(Some(Ok(text)))`: show it, and poll again.
    /// * `Ready(Some(Err(error)))`: blocked, as long as it is; or failed, or over without the rest.
    /// * `Ready(None)`: the answer has ended, and all of its text was shown.
    ///
    /// It never runs the model. Over a stream `put` and `finish` do; over a batch neither does.
    pub fn poll_shown(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<String, HoldBackError>>> {
        if let Some((batch, session)) = self.batch {
            batch.tell(session, context.waker()); // before it looks: no verdict is missed in between
        }
        let found = match self.take(Duration::ZERO) {
            Err(error) => Poll::Ready(Some(Err(error.into()))),
            Ok(release) if !release.text.is_empty() => Poll::Ready(Some(Ok(release.text))),
            Ok(release) => match HoldBackError::of(release.state, release.block) {
                Some(error) => Poll::Ready(Some(Err(error))),
                None if release.state == HoldBackState::Ended => Poll::Ready(None),
                None => Poll::Pending,
            },
        };
        if let (Poll::Ready(_), Some((batch, session))) = (&found, self.batch) {
            batch.forget(session);
        }
        found
    }
}

/// Why no more text may be shown.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum HoldBackError {
    /// Something is blocked, for good: [`HoldBack::retry`] or [`HoldBack::withdraw`].
    Blocked(Box<HoldBackBlock>),
    /// The turn has ended, and the rest will never be shown: it was withdrawn, or not all of the turn was judged. The
    /// stream's decision says what is missing.
    Withheld,
    /// A call failed.
    Failed(Error),
}

impl HoldBackError {
    /// Why no text comes in this state; None: some may, or all has come.
    fn of(state: HoldBackState, block: Option<HoldBackBlock>) -> Option<Self> {
        match (state, block) {
            (HoldBackState::Blocked, Some(block)) => Some(Self::Blocked(Box::new(block))),
            (HoldBackState::Withheld, _) => Some(Self::Withheld),
            (HoldBackState::Failed, _) => Some(Self::Failed(Error::internal("the session failed".to_owned()))),
            _ => None,
        }
    }
}

impl From<Error> for HoldBackError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for HoldBackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Withheld => f.write_str("the answer has ended, and not all of it may be shown"),
            Self::Blocked(block) => match block.decision.explain() {
                Ok(why) => write!(f, "blocked: {why}"),
                Err(_) => write!(f, "blocked: {}", block.decision.severity),
            },
        }
    }
}

impl std::error::Error for HoldBackError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}

/// What [`HoldBack::shown`] returns.
#[must_use = "nothing is put until the iterator is advanced"]
pub struct Shown<'h, 'a, I: Iterator> {
    hold: &'h mut HoldBack<'a>,
    /// None behind the last one.
    pieces: Option<I>,
    /// A piece that the batch had no room for, or the end (`Some(None)`).
    waiting: Option<Option<I::Item>>,
    /// What comes next, once text in front of it was yielded: an error, or the end.
    then: Option<Option<HoldBackError>>,
}

impl<I: Iterator> fmt::Debug for Shown<'_, '_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("hold", &self.hold).field("then", &self.then).finish_non_exhaustive()
    }
}

impl<I: Iterator> Shown<'_, '_, I>
where
    I::Item: AsRef<[u8]>,
{
    /// The next text, which may be empty; sets `then` when no more follows it.
    fn advance(&mut self) -> Result<String> {
        // What the batch had no room for waits for verdicts, and so does the end.
        let waits = self.waiting.is_some() || self.pieces.is_none();
        // First it looks: something may be blocked already, a batch's prompt for one.
        let release = self.hold.take(if waits { POLL } else { Duration::ZERO })?;
        self.then = match HoldBackError::of(release.state, release.block) {
            Some(error) => Some(Some(error)),
            None => (release.state == HoldBackState::Ended && self.pieces.is_none()).then_some(None),
        };
        if !release.text.is_empty() || self.then.is_some() {
            return Ok(release.text);
        }
        if self.waiting.is_none() {
            self.waiting = self.pieces.as_mut().map(Iterator::next);
        }
        if let Some(next) = &self.waiting {
            if self.hold.go_on(next.as_ref())? {
                if let Some(None) = self.waiting.take() {
                    self.pieces = None;
                }
            }
        }
        Ok(String::new())
    }
}

impl<I: Iterator> Iterator for Shown<'_, '_, I>
where
    I::Item: AsRef<[u8]>,
{
    type Item = std::result::Result<String, HoldBackError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(then) = &mut self.then {
                return then.take().map(Err);
            }
            match self.advance() {
                Ok(text) if text.is_empty() => {}
                Ok(text) => return Some(Ok(text)),
                Err(error) => {
                    self.then = Some(None);
                    return Some(Err(error.into()));
                }
            }
        }
    }
}

impl<I: Iterator> FusedIterator for Shown<'_, '_, I> where I::Item: AsRef<[u8]> {}

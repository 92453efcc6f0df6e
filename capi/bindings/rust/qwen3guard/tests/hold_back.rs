// SPDX-License-Identifier: Apache-2.0
//! What a hold-back shows is a prefix of judged, settled text that is not blocked; nothing is lost, and nothing comes twice.
use std::{
    collections::VecDeque,
    future::Future,
    pin::pin,
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc, Mutex,
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use common::*;
use qwen3guard::*;

mod common;

struct Random(u64);
impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % n
    }
    /// Cuts a text anywhere, also within characters.
    fn pieces(&mut self, text: &str) -> Vec<Vec<u8>> {
        let (mut rest, mut out) = (text.as_bytes(), vec![]);
        while !rest.is_empty() {
            let (piece, others) = rest.split_at(rest.len().min(1 + self.below(30)));
            out.push(piece.to_vec());
            rest = others;
        }
        out
    }
}

fn is_send<T: Send>(_: &T) {}

/// An executor: a thread that sleeps until it is woken, and counts.
struct Sleeper {
    thread: Thread,
    n_wakes: AtomicU32,
}
impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.n_wakes.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}
fn sleeper() -> Arc<Sleeper> {
    Arc::new(Sleeper { thread: thread::current(), n_wakes: AtomicU32::new(0) })
}
fn block_on<F: Future>(task: F) -> F::Output {
    let (sleeper, mut task) = (sleeper(), pin!(task));
    let waker = sleeper.clone().into();
    loop {
        if let Poll::Ready(out) = task.as_mut().poll(&mut Context::from_waker(&waker)) {
            return out;
        }
        thread::park();
    }
}
/// Without anybody to wake.
fn poll(hold: &mut HoldBack<'_>) -> Poll<Option<std::result::Result<String, HoldBackError>>> {
    hold.poll_shown(&mut Context::from_waker(&sleeper().into()))
}

/// None: the end.
type Pieces = VecDeque<Option<Vec<u8>>>;
/// A channel of an asynchronous host.
#[derive(Default)]
struct Channel(Mutex<(Pieces, Option<Waker>)>);
impl Channel {
    fn send(&self, piece: Option<Vec<u8>>) {
        let mut inner = self.0.lock().unwrap();
        inner.0.push_back(piece);
        if let Some(task) = inner.1.take() {
            task.wake();
        }
    }
    fn poll_recv(&self, context: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut inner = self.0.lock().unwrap();
        match inner.0.pop_front() {
            Some(piece) => Poll::Ready(piece),
            None => {
                inner.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

async fn all<P, T>(mut shown: ShownAsync<'_, '_, P, T>) -> (String, Option<HoldBackError>)
where
    P: FnMut(&mut Context<'_>) -> Poll<Option<T>>,
    T: AsRef<[u8]>,
{
    let mut out = String::new();
    while let Some(text) = shown.next().await {
        match text {
            Ok(text) => out += &text,
            Err(error) => {
                assert!(shown.next().await.is_none());
                return (out, Some(error));
            }
        }
    }
    (out, None)
}

/// Shows all of an answer, and what stopped it.
fn show(hold: &mut HoldBack<'_>, pieces: Vec<Vec<u8>>, shown: &mut String) -> Option<HoldBackError> {
    is_send(hold);
    let mut all = hold.shown(pieces);
    let mut error = None;
    for text in &mut all {
        assert!(error.is_none());
        match text {
            Ok(text) => {
                assert!(!text.is_empty());
                *shown += &text;
            }
            Err(found) => error = Some(found),
        }
    }
    assert!(all.next().is_none());
    error
}

#[test]
fn every_split_shows_the_same() {
    let (guard, mut random) = (live(), Random(20261127));
    println!("seed {}", random.0);
    let (calm, quick) = (calm(), policy(r#""debounce": {"consecutive_tokens": 1}"#));
    for round in 0..24 {
        let is_calm = round % 2 == 0;
        let text = format!("{}{}", "Good morning. ".repeat(random.below(6)), THREAT.repeat(1 + random.below(3)));
        let options = StreamOptions { policy: Some(if is_calm { &calm } else { &quick }), ..Default::default() };
        let mut stream = Stream::open_with(&guard, &options).unwrap();
        stream.push_prompt("Hello!").unwrap();
        let buffer_tokens = [0, 1, 8, 40][random.below(4)];
        let mut hold = stream.hold_back(HoldBackOptions { buffer_tokens, ..Default::default() }).unwrap();
        let mut shown = String::new();
        let error = show(&mut hold, random.pieces(&text), &mut shown);
        assert!(text.starts_with(&shown));
        if is_calm {
            assert_eq!((error, shown.len()), (None, text.len()));
        } else {
            let Some(HoldBackError::Blocked(block)) = error else { panic!("{error:?}") };
            assert!(block.is_settled && !block.is_prompt && block.decision.action == Action::Block, "{block:?}");
            assert_eq!((block.shown_bytes, block.continue_byte), (shown.len() as i64, shown.len() as i64));
            assert_eq!(kind(hold.put("more")), ErrorKind::InvalidArgument);
            assert!(matches!(poll(&mut hold), Poll::Ready(Some(Err(HoldBackError::Blocked(_))))));
            // The model is asked again, and writes something else from there on.
            hold.retry(None).unwrap();
            let more = " Good morning.";
            let mut rest = String::new();
            match show(&mut hold, random.pieces(more), &mut rest) {
                None => assert_eq!(rest, more),
                Some(HoldBackError::Blocked(_)) => hold.withdraw().unwrap(), // the threat's beginning was shown
                Some(error) => panic!("{error}"),
            }
            assert!(more.starts_with(&rest));
            shown += &rest;
        }
        let stats = hold.stats().unwrap();
        assert_eq!(stats.put_bytes, stats.shown_bytes + stats.withdrawn_bytes, "{stats:?}");
        assert_eq!((stats.shown_bytes, stats.held_tokens), (shown.len() as i64, 0), "{stats:?}");
        drop(hold);
        assert_eq!(stream.info().unwrap().turn_bytes, shown.len() as i64);
    }
}

#[test]
fn retries_end() {
    let guard = live();
    let mut stream = Stream::open(&guard).unwrap();
    stream.push_prompt("Hello!").unwrap();
    let mut hold = stream.hold_back(HoldBackOptions { max_retries: 2, ..Default::default() }).unwrap();
    assert_eq!(kind(hold.retry(None)), ErrorKind::InvalidArgument); // nothing is blocked
    for left in [2, 1, 0] {
        let mut shown = String::new();
        let error = show(&mut hold, vec![THREAT.into()], &mut shown).unwrap();
        assert!(error.to_string().starts_with("blocked: Unsafe"), "{error}");
        let HoldBackError::Blocked(block) = error else { panic!("{error:?}") };
        assert_eq!((block.retries_left, shown.as_str()), (left, ""));
        assert_eq!(hold.retry(None).is_ok(), left > 0);
    }
    hold.withdraw().unwrap();
    assert_eq!(kind(hold.withdraw()), ErrorKind::InvalidArgument);
    assert!(matches!(poll(&mut hold), Poll::Ready(Some(Err(HoldBackError::Withheld)))));
    let stats = hold.stats().unwrap();
    assert_eq!((stats.n_retries, stats.shown_bytes), (2, 0));
}

#[test]
fn what_cannot_be_held_back() {
    let guard = live();
    let mut stream = Stream::open(&guard).unwrap();
    assert_eq!(kind(stream.hold_back(Default::default())), ErrorKind::InvalidArgument); // no turn is open
    stream.push_prompt("Hello!").unwrap();
    for bad in [
        HoldBackOptions { buffer_tokens: -1, ..Default::default() },
        HoldBackOptions { max_retries: -1, ..Default::default() },
    ] {
        assert_eq!(kind(stream.hold_back(bad)), ErrorKind::InvalidArgument);
    }
    let mut hold = stream.hold_back(Default::default()).unwrap();
    let mut shown = String::new();
    let error = show(&mut hold, vec![b"Good ".to_vec(), b"\xff".to_vec(), b"morning".to_vec()], &mut shown).unwrap();
    assert!(matches!(&error, HoldBackError::Failed(e) if e.kind() == ErrorKind::InvalidUtf8), "{error:?}");
    assert_eq!(shown, "");
    drop(hold); // the stream is as it was
    assert_eq!(stream.info().unwrap().turn_bytes, 5);
    let batch = Batch::open(&guard, BatchOptions::default()).unwrap();
    assert_eq!(kind(batch.hold_back(7, Default::default())), ErrorKind::InvalidArgument);
}

#[test]
fn over_a_batch() {
    let guard = live();
    let batch = Batch::open(&guard, BatchOptions::default()).unwrap();
    let calm = calm();
    let session = batch.add(&StreamOptions { policy: Some(&calm), ..Default::default() }).unwrap();
    batch.push_prompt(session, "Hello!", None).unwrap();
    // Nobody steps: nothing is shown, and nothing waits.
    let mut hold = batch.hold_back(session, HoldBackOptions { buffer_tokens: 0, ..Default::default() }).unwrap();
    hold.put(TEXT).unwrap();
    assert_eq!(poll(&mut hold), Poll::Pending);
    hold.finish().unwrap();
    assert_eq!(poll(&mut hold), Poll::Pending);
    let mut shown = String::new();
    loop {
        match poll(&mut hold) {
            Poll::Ready(Some(text)) => shown += &text.unwrap(),
            Poll::Ready(None) => break,
            Poll::Pending => drop(batch.step(None, true).unwrap()),
        }
    }
    assert_eq!(shown, TEXT);
    drop(hold);
    // With a thread that steps, the iterator waits for the rest; a prompt that is blocked blocks the answer.
    batch.start().unwrap();
    batch.push_prompt(session, "And?", None).unwrap();
    let mut hold = batch.hold_back(session, Default::default()).unwrap();
    shown.clear();
    assert_eq!(show(&mut hold, Random(1).pieces(TEXT), &mut shown), None);
    assert_eq!(shown, TEXT);
    for is_judged in [false, true] {
        let strict = batch.add(&StreamOptions::default()).unwrap();
        batch.push_prompt(strict, THREAT, None).unwrap();
        if is_judged {
            while batch.stats().unwrap().n_waiting_sessions > 0 {
                std::thread::yield_now();
            }
        }
        let mut hold = batch.hold_back(strict, Default::default()).unwrap();
        let error = show(&mut hold, vec![b"Good morning.".to_vec()], &mut String::new());
        assert!(matches!(&error, Some(HoldBackError::Blocked(block)) if block.is_prompt), "{error:?}");
        assert!(hold.take(Duration::ZERO).unwrap().text.is_empty());
    }
}

/// A model that is faster than the guard waits, and loses nothing.
#[test]
fn a_batch_without_room() {
    let guard = live();
    let batch = Batch::open(&guard, BatchOptions { max_waiting_bytes: Some(64), ..Default::default() }).unwrap();
    batch.start().unwrap();
    let calm = calm();
    let session = batch.add(&StreamOptions { policy: Some(&calm), ..Default::default() }).unwrap();
    batch.push_prompt(session, "Hello!", None).unwrap();
    let mut hold = batch.hold_back(session, Default::default()).unwrap();
    let mut shown = String::new();
    assert_eq!(show(&mut hold, vec![TEXT.as_bytes()[..48].to_vec(); 12], &mut shown), None);
    assert_eq!(shown, TEXT[..48].repeat(12));
}

/// A task sleeps until there is something to show, whoever steps, and while the model writes nothing.
#[test]
fn tasks_are_woken() {
    let guard = live();
    let calm = calm();
    for max_waiting_bytes in [None, Some(64)] {
        let batch = Batch::open(&guard, BatchOptions { max_waiting_bytes, ..Default::default() }).unwrap();
        batch.start().unwrap();
        assert_eq!(kind(batch.start()), ErrorKind::InvalidArgument);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let session = batch.add(&StreamOptions { policy: Some(&calm), ..Default::default() }).unwrap();
                    batch.push_prompt(session, "Hello!", None).unwrap();
                    let mut hold =
                        batch.hold_back(session, HoldBackOptions { buffer_tokens: 0, ..Default::default() }).unwrap();
                    let channel = Channel::default();
                    thread::scope(|scope| {
                        scope.spawn(|| {
                            for piece in TEXT.as_bytes().chunks(40) {
                                channel.send(Some(piece.to_vec()));
                                thread::yield_now();
                            }
                            channel.send(None);
                        });
                        let (shown, error) = block_on(all(hold.shown_async(|context| channel.poll_recv(context))));
                        assert_eq!((shown.as_str(), error), (TEXT, None));
                    });
                });
            }
        });
        // One that waits is woken by what is put later;
        let session = batch.add(&StreamOptions::default()).unwrap();
        batch.push_prompt(session, "Hello!", None).unwrap();
        let mut hold = batch.hold_back(session, Default::default()).unwrap();
        let idle = sleeper();
        let waker = idle.clone().into();
        assert!(hold.poll_shown(&mut Context::from_waker(&waker)).is_pending());
        hold.put("Good morning.").unwrap();
        while idle.n_wakes.load(Ordering::SeqCst) == 0 {
            thread::park();
        }
        batch.stop().unwrap();
        batch.stop().unwrap();
        // by a host's own step, too, and when the session goes.
        assert!(hold.poll_shown(&mut Context::from_waker(&waker)).is_pending());
        let steps: &dyn Fn() = &|| assert!(batch.step(None, true).is_ok());
        for wakes in [steps, &|| batch.remove(session).unwrap()] {
            idle.n_wakes.store(0, Ordering::SeqCst);
            assert!(hold.poll_shown(&mut Context::from_waker(&waker)).is_pending());
            wakes();
            assert_eq!(idle.n_wakes.load(Ordering::SeqCst), 1);
        }
        assert!(matches!(poll(&mut hold), Poll::Ready(Some(Err(HoldBackError::Failed(_))))));
    }
}

/// What stops an answer is told as by the iterator, over a stream and over a batch; it is never its end.
#[test]
fn tasks_are_told() {
    let guard = live();
    let batch = Batch::open(&guard, BatchOptions::default()).unwrap();
    batch.start().unwrap();
    type IsTold = fn(&HoldBackError) -> bool;
    let cases: [(&[&[u8]], IsTold); 3] = [
        (&[THREAT.as_bytes(), THREAT.as_bytes()], |e| matches!(e, HoldBackError::Blocked(b) if b.is_settled)),
        (
            &[b"Good ", b"\xff", b"more"],
            |e| matches!(e, HoldBackError::Failed(e) if e.kind() == ErrorKind::InvalidUtf8),
        ),
        (&[b"Good ", b"\xe4\xbd"], |e| matches!(e, HoldBackError::Withheld)), // it ends within a character
    ];
    for (pieces, is_told) in cases {
        let mut stream = Stream::open(&guard).unwrap();
        stream.push_prompt("Hello!").unwrap();
        let session = batch.add(&StreamOptions::default()).unwrap();
        batch.push_prompt(session, "Hello!", None).unwrap();
        let over_batch = batch.hold_back(session, Default::default()).unwrap();
        for mut hold in [stream.hold_back(Default::default()).unwrap(), over_batch] {
            let mut rest = pieces.iter();
            let (shown, error) = block_on(all(hold.shown_async(|_| Poll::Ready(rest.next()))));
            assert!(error.as_ref().is_some_and(is_told), "{error:?}");
            assert_eq!(shown, "");
            assert_ne!(poll(&mut hold), Poll::Ready(None));
            if let Some(HoldBackError::Blocked(_)) = error {
                hold.retry(None).unwrap();
                let (mut more, text) = (["Good ", "morning."].into_iter(), "Good morning.".to_owned());
                assert_eq!(block_on(all(hold.shown_async(|_| Poll::Ready(more.next())))), (text, None));
                assert_eq!(kind(hold.put("more")), ErrorKind::InvalidArgument);
                assert_eq!(kind(hold.finish()), ErrorKind::InvalidArgument);
                assert_eq!(kind(hold.retry(None)), ErrorKind::InvalidArgument);
                assert_eq!(poll(&mut hold), Poll::Ready(None));
            }
        }
    }
}

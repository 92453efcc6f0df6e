// SPDX-License-Identifier: Apache-2.0
//! Streams and batches of them.
use std::{
    io::{self, Write},
    panic::{catch_unwind, AssertUnwindSafe},
    time::Duration,
};

use common::*;
use qwen3guard::*;

mod common;

#[test]
fn random_splits_do_not_matter() {
    let (guard, mut seed) = (live(), 20261124u64);
    println!("seed {seed}");
    let mut below = |n: u64| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) % n
    };
    let text = TEXT.repeat(3);
    let mut whole = Stream::open(&guard).unwrap();
    whole.push_prompt(PROMPT).unwrap();
    assert!(whole.push_text(&text).unwrap().tokens.len() > 32);
    for _ in 0..10 {
        let (mut stream, mut found, mut rest) = (Stream::open(&guard).unwrap(), vec![], text.as_bytes());
        stream.push_prompt(PROMPT).unwrap();
        while !rest.is_empty() {
            let (piece, others) = rest.split_at(rest.len().min(1 + below(40) as usize));
            let update = stream.push_text(piece).unwrap();
            found.truncate(update.first);
            found.extend(update.tokens);
            rest = others;
        }
        assert_close(&found, &whole.verdicts(0).unwrap());
    }
}

#[test]
fn turns_marks_and_forks() {
    let guard = live();
    let mut stream = Stream::open(&guard).unwrap();
    assert_eq!(stream.push_prompt(PROMPT).unwrap().severity, Severity::Safe);
    stream.push_text("Once upon ").unwrap();
    let (mark, mut fork) = (stream.mark().unwrap(), stream.fork().unwrap());
    stream.push_text(THREAT).unwrap();
    stream.rewind(mark).unwrap();
    let cancel = Cancel::new().unwrap();
    cancel.set();
    fork.set_cancel(Some(&cancel)).unwrap();
    assert_eq!(kind(fork.push_text("a fox. ")), ErrorKind::Cancelled);
    fork.set_cancel(None).unwrap();
    for each in [&mut stream, &mut fork] {
        each.push_text("a fox. ").unwrap();
    }
    assert_close(&stream.verdicts(0).unwrap(), &fork.verdicts(0).unwrap());
    stream.rewind_to_byte(5).unwrap();
    assert_eq!(stream.info().unwrap().turn_bytes, 5);
    let turn = stream.end_turn().unwrap();
    assert_eq!((turn.role, turn.prompt, turn.written), (Role::Assistant, None, None));
    assert_eq!(kind(stream.push_text("x")), ErrorKind::InvalidArgument);
    stream.begin_turn(Role::User).unwrap();
    stream.push_text("And?").unwrap();
    assert!(stream.end_turn().unwrap().prompt.is_some());
    stream.reset().unwrap();
    assert_eq!(kind(stream.rewind(mark)), ErrorKind::InvalidArgument);
    stream.restore(&[Message::user("Hi."), Message::assistant("Hello.")]).unwrap();
    stream.push_conversation(&[Message::user("Go on.")]).unwrap();
    let ids = guard.tokenizer().unwrap().encode("A fox.").unwrap();
    assert_eq!(stream.push_tokens(&ids).unwrap().len(), ids.len());
    assert_eq!(kind(stream.push_tokens(&[-1])), ErrorKind::TokenRange);

    let mut ends = Stream::open(&guard).unwrap();
    let end = ends.push_prompt(PROMPT).unwrap().id; // <|im_end|>
    assert_eq!(kind(ends.push_tokens(&[end, ids[0]])), ErrorKind::InvalidArgument);
    let tokens = ends.push_tokens(&[ids.as_slice(), &[end]].concat()).unwrap();
    let last = tokens.last().unwrap();
    assert_eq!((last.id, last.source, last.counts), (end, Source::None, false));
    assert_eq!(kind(ends.push_tokens(&ids)), ErrorKind::InvalidArgument);
    assert!(ends.end_turn().unwrap().decision.is_complete);
    let allow = StreamOptions { allow_control_ids: true, ..Default::default() };
    let mut allows = Stream::open_with(&guard, &allow).unwrap();
    allows.push_prompt(PROMPT).unwrap();
    assert_eq!(allows.push_tokens(&[end, ids[0]]).unwrap()[0].source, Source::Heads);

    let (mut a, mut b) = (Stream::open(&guard).unwrap(), Stream::open(&guard).unwrap());
    for each in [&mut a, &mut b] {
        each.push_prompt(PROMPT).unwrap();
    }
    let done = push_batch(&guard, &mut [(&mut a, &ids), (&mut b, &[-1])]).unwrap();
    assert_close(done[0].as_ref().unwrap(), &a.verdicts(0).unwrap());
    assert_eq!(done[1].as_ref().unwrap_err().kind(), ErrorKind::TokenRange);
    let full = StreamOptions { max_tokens: 40, context: Some(Context::Error), ..Default::default() };
    let mut small = Stream::open_with(&guard, &full).unwrap();
    assert_eq!(kind(small.push_prompt(TEXT.repeat(9))), ErrorKind::ContextFull);
}

#[test]
fn a_batch_of_streams() {
    let guard = live();
    let options = BatchOptions { max_step_tokens: Some(32), max_session_tokens: Some(16), ..Default::default() };
    let batch = Batch::open(&guard, options).unwrap();
    let ids: Vec<_> = (0..3).map(|_| batch.add(&StreamOptions::default()).unwrap()).collect();
    for (i, id) in ids.iter().enumerate() {
        batch.push_prompt(*id, PROMPT, None).unwrap();
        batch.push_text(*id, THREAT.repeat(i + 1), Some(Duration::from_secs(1))).unwrap();
    }
    batch.push_text(ids[0], b"\xff", None).unwrap();
    batch.end_turn(ids[1], None).unwrap();
    assert!(batch.step(None, true).unwrap() > 0);
    let events = batch.poll(ids[0], Duration::ZERO).unwrap();
    assert!(matches!(&events.last().unwrap().kind, EventKind::Error(e) if e.kind() == ErrorKind::InvalidUtf8));
    let events = batch.poll(ids[1], Duration::ZERO).unwrap();
    assert!(matches!(&events.last().unwrap().kind, EventKind::TurnEnd(t) if t.role == Role::Assistant));
    let (verdicts, fork) = batch.visit(ids[2], |s| (s.verdicts(0).unwrap(), s.fork().unwrap())).unwrap();
    let mut alone = Stream::open(&guard).unwrap();
    alone.push_prompt(PROMPT).unwrap();
    alone.push_text(THREAT.repeat(3)).unwrap();
    assert_close(&verdicts, &alone.verdicts(0).unwrap());
    assert_close(&verdicts, &fork.verdicts(0).unwrap());
    let moved = batch.add_stream(alone).unwrap();
    batch.push_text(moved, " More.", None).unwrap();
    batch.start().unwrap();
    assert!(!batch.poll(moved, Duration::from_secs(60)).unwrap().is_empty());
    batch.stop().unwrap();
    batch.begin_turn(ids[1], Role::User).unwrap();
    batch.push_tokens(ids[1], &[1, 2, 3], None).unwrap();
    batch.step(None, true).unwrap();
    assert_eq!(batch.stats().unwrap().n_sessions, 4);
    assert!(catch_unwind(AssertUnwindSafe(|| batch.visit(ids[2], |_| panic!("mine")))).is_err());
    assert_eq!(kind(batch.visit(999, |_| ())), ErrorKind::InvalidArgument);
    batch.remove(ids[0]).unwrap();
    assert_eq!(kind(batch.poll(ids[0], Duration::ZERO)), ErrorKind::InvalidArgument);
}

/// Nobody steps, and there is no silence.
#[test]
fn a_deadline_that_passes_is_an_event() {
    let guard = live();
    let batch = Batch::open(&guard, BatchOptions::default()).unwrap();
    let session = batch.add(&StreamOptions::default()).unwrap();
    batch.push_prompt(session, PROMPT, Some(Duration::ZERO)).unwrap();
    let events = batch.poll(session, Duration::MAX).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, EventKind::Overdue);
    assert!(events[0].is_late && events[0].update.tokens.is_empty());
    assert_eq!((events[0].decision.severity, events[0].decision.is_complete), (Severity::NotJudged, false));
    let stats = batch.stats().unwrap();
    assert_eq!(stats.n_overdue_sessions, 1);
    assert!(stats.oldest_waiting_ms > 0.0);
    batch.step(None, true).unwrap();
    let events = batch.poll(session, Duration::ZERO).unwrap();
    assert!(matches!(events[..], [Event { kind: EventKind::TurnEnd(_), is_late: true, .. }]));
    let stats = batch.stats().unwrap();
    assert_eq!((stats.n_overdue_sessions, stats.oldest_waiting_ms, stats.n_late), (0, 0.0, 1));
}

/// What safe code may do to a lent stream does not take it from the batch.
#[test]
fn a_visited_stream_stays_the_batchs() {
    let guard = live();
    let batch = Batch::open(&guard, BatchOptions::default()).unwrap();
    let session = batch.add(&StreamOptions::default()).unwrap();
    batch.push_prompt(session, PROMPT, None).unwrap();
    batch.push_text(session, "Once upon a time", None).unwrap();
    batch.step(None, true).unwrap();
    let mut mine = Stream::open(&guard).unwrap();
    mine.push_prompt(PROMPT).unwrap();
    let (swapped, fork) = batch
        .visit(session, |lent| {
            std::mem::swap(lent, &mut *mine);
            (lent.info().unwrap().n_verdicts, lent.fork().unwrap())
        })
        .unwrap();
    assert!(swapped > 0 && mine.info().unwrap().n_verdicts == 0); // each is where it was
    drop(batch);
    mine.push_text("still mine").unwrap();
    assert_eq!(fork.verdicts(0).unwrap().len(), swapped);
    // A lent stream is good for all that a stream is: also for a push with others.
    let batch = Batch::open(&guard, BatchOptions::default()).unwrap();
    let session = batch.add_stream(fork).unwrap();
    let pushed = batch.visit(session, |lent| {
        lent.reset().unwrap();
        lent.push_prompt(PROMPT).unwrap();
        mine.reset().unwrap();
        mine.push_prompt(PROMPT).unwrap();
        push_batch(&guard, &mut [(lent, &[1, 2]), (&mut mine, &[1, 2])]).unwrap()
    });
    let pushed = pushed.unwrap();
    assert_close(pushed[0].as_ref().unwrap(), pushed[1].as_ref().unwrap());
}

#[test]
fn events_of_a_session_end_by_themselves() {
    let batch = Batch::open(&live(), BatchOptions::default()).unwrap();
    batch.start().unwrap();
    let session = batch.add(&StreamOptions::default()).unwrap();
    batch.push_prompt(session, PROMPT, None).unwrap();
    for word in TEXT.split_inclusive(' ') {
        batch.push_text(session, word, None).unwrap();
    }
    batch.push_text(session, b"\xff", None).unwrap();
    batch.end_turn(session, None).unwrap();
    let events: Vec<_> = batch.events(session, Duration::MAX).map(|event| event.unwrap()).collect();
    let is_error = |e: &&Event| matches!(&e.kind, EventKind::Error(e) if e.kind() == ErrorKind::InvalidUtf8);
    assert_eq!(events.iter().filter(is_error).count(), 1);
    assert!(matches!(&events.last().unwrap().kind, EventKind::TurnEnd(_)));
    batch.remove(session).unwrap();
    let mut gone = batch.events(session, Duration::ZERO);
    assert_eq!(kind(gone.next().unwrap()), ErrorKind::InvalidArgument);
    assert!(gone.next().is_none());
}

#[test]
fn judging_ends_behind_an_error() {
    let mut stream = Stream::open(&live()).unwrap();
    stream.push_prompt(PROMPT).unwrap();
    let mut n_taken = 0;
    let pieces = [&b"Once "[..], b"\xff", b"upon", b" a time"];
    let mut judged = stream.judge(pieces.into_iter().inspect(|_| n_taken += 1));
    let (update, decision) = judged.next().unwrap().unwrap();
    assert!(!update.tokens.is_empty() && decision.action != Action::Block);
    assert_eq!(kind(judged.next().unwrap()), ErrorKind::InvalidUtf8);
    assert!(judged.next().is_none() && judged.next().is_none());
    assert_eq!(judged.size_hint(), (0, Some(0)));
    drop(judged);
    assert_eq!(n_taken, 2);
    // The turn is open, and what failed has left no trace.
    assert_eq!(stream.info().unwrap().turn_bytes, 5);
    assert_eq!(stream.judge(["upon", " a time."]).count(), 2);
    assert_eq!(stream.end_turn().unwrap().role, Role::Assistant);
}

/// A reader that gives a few bytes at a time, as a network does.
struct Dribble<'a>(&'a [u8]);
impl io::Read for Dribble<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.0.len().min(3).min(to.len());
        let (now, later) = self.0.split_at(n);
        to[..n].copy_from_slice(now);
        self.0 = later;
        Ok(n)
    }
}

#[test]
fn a_response_is_judged_while_it_is_copied() {
    let guard = live();
    let (mut stream, mut shown) = (Stream::open(&guard).unwrap(), vec![]);
    stream.push_prompt(PROMPT).unwrap();
    let n = io::copy(&mut Dribble(TEXT.as_bytes()), &mut stream.writer(&mut shown)).unwrap();
    assert_eq!((n, &shown[..]), (TEXT.len() as u64, TEXT.as_bytes()));
    let mut whole = Stream::open(&guard).unwrap();
    whole.push_prompt(PROMPT).unwrap();
    whole.push_text(TEXT).unwrap();
    assert_close(&stream.verdicts(0).unwrap(), &whole.verdicts(0).unwrap());

    stream.reset().unwrap();
    stream.push_prompt("Hello!").unwrap();
    shown.clear();
    let error = io::copy(&mut Dribble(THREAT.as_bytes()), &mut stream.writer(&mut shown)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    let Blocked(decision) = error.get_ref().unwrap().downcast_ref().unwrap();
    assert!(decision.action == Action::Block && error.to_string().starts_with("blocked: Unsafe"), "{error}");
    assert_eq!(**decision, stream.decision().unwrap());
    assert!(!shown.is_empty() && shown.len() < THREAT.len() && THREAT.as_bytes().starts_with(&shown));
    assert_eq!(stream.info().unwrap().turn_bytes as usize, shown.len() + 3); // the last write went no further

    stream.reset().unwrap();
    let error = stream.writer(io::sink()).write_all(b"x").unwrap_err(); // no turn is open
    assert_eq!(error.get_ref().unwrap().downcast_ref::<Error>().unwrap().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn verdicts_from_an_index() {
    let mut stream = Stream::open(&live()).unwrap();
    stream.push_prompt(PROMPT).unwrap();
    stream.push_text(TEXT.repeat(3)).unwrap();
    let all = stream.verdicts(0).unwrap();
    assert_eq!(all.len(), stream.info().unwrap().n_verdicts);
    assert_eq!(stream.verdicts(7).unwrap(), &all[7..]);
    assert!(stream.verdicts(all.len()).unwrap().is_empty());
    assert_eq!(kind(stream.verdicts(all.len() + 1)), ErrorKind::InvalidArgument);
}

#[test]
fn a_stream_keeps_its_flag() {
    let cancel = Cancel::new().unwrap();
    let options = StreamOptions { cancel: Some(&cancel), ..Default::default() };
    let mut stream = Stream::open_with(&live(), &options).unwrap();
    stream.push_prompt(PROMPT).unwrap();
    cancel.set();
    assert_eq!(kind(stream.push_text(TEXT)), ErrorKind::Cancelled);
    drop(cancel); // and stays up
    assert_eq!(kind(stream.push_text(TEXT)), ErrorKind::Cancelled);
    stream.set_cancel(None).unwrap();
    stream.push_text(TEXT).unwrap();
}

/// Forks and a mark go to other threads, while the stream stays here.
#[test]
fn forks_go_on_in_threads_of_their_own() {
    let mut stream = Stream::open(&live()).unwrap();
    stream.push_prompt(PROMPT).unwrap();
    stream.push_text("Once upon a time ").unwrap();
    let mark = stream.mark().unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let mut fork = stream.fork().unwrap();
            std::thread::spawn(move || {
                for _ in 0..5 {
                    fork.push_text("there was a fox.").unwrap();
                    fork.rewind(mark).unwrap();
                }
                fork.push_text("there was a fox.").unwrap();
                fork
            })
        })
        .collect();
    stream.push_text("there was a fox.").unwrap();
    let mine = stream.verdicts(0).unwrap();
    drop(stream);
    for thread in threads {
        assert_close(&thread.join().unwrap().verdicts(0).unwrap(), &mine);
    }
}

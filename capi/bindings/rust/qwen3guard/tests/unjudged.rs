// SPDX-License-Identifier: Apache-2.0
//! Nothing that was not judged reads as Safe, or as allowed.
use std::{
    io::{self, Write},
    ops::ControlFlow,
    time::Duration,
};

use common::*;
use qwen3guard::*;

mod common;

/// What every decision must be, whatever the state of its stream.
fn checked(decision: Decision) -> Decision {
    assert!(decision.severity != Severity::Safe || decision.is_complete, "{decision:?}");
    assert!(!decision.is_complete || decision.severity != Severity::NotJudged, "{decision:?}");
    assert!(!decision.is_complete || decision.unjudged_bytes.is_empty(), "{decision:?}");
    assert!(decision.action != Action::Allow || decision.is_complete, "{decision:?}");
    decision
}

/// The decision of a stream, in which something is not judged.
fn incomplete(stream: &StreamRef) -> Decision {
    let decision = checked(stream.decision().unwrap());
    assert!(!decision.is_complete && decision.unjudged_bytes.end <= stream.info().unwrap().turn_bytes, "{decision:?}");
    for token in stream.verdicts(stream.info().unwrap().first_verdict).unwrap() {
        let is_judged = token.source != Source::None;
        assert!(is_judged || (token.severity, token.probabilities) == Default::default(), "{token:?}");
        assert!(token.severity != Severity::Safe || token.source != Source::Carried, "{token:?}");
    }
    decision
}

#[test]
fn defaults() {
    assert_eq!((Severity::default(), Action::default()), (Severity::NotJudged, Action::None));
    assert_eq!((Severity::NotJudged.value(), Action::None.value()), (0, 0));
    let verdict = Verdict::default();
    assert_eq!((verdict.severity, verdict.ruling, verdict.position), Default::default());
    let token = TokenVerdict::default();
    assert_eq!((token.severity, token.source, token.action, token.is_settled), Default::default());
    let decision = checked(Decision::default());
    assert!(decision.severity == Severity::NotJudged && !decision.is_complete && !decision.is_settled);
    assert_eq!((decision.action, &decision.ruling), (Action::None, &Ruling::default()));
    assert!(decision.explain().unwrap().starts_with("not judged"));
    // No name, comparison or probability makes one of it.
    assert_eq!((Severity::NotJudged.to_string(), Action::None.to_string()), ("not judged".into(), "none".into()));
    assert_eq!(kind("not judged".parse::<Severity>()), ErrorKind::InvalidArgument);
    assert_eq!((Severity::NotJudged < Severity::Unsafe, Action::None <= Action::Allow), (false, false));
    let p = Probabilities { safe: 0.5, controversial: 0.3, r#unsafe: 0.2 };
    let all = [Severity::NotJudged, Severity::Safe, Severity::Controversial, Severity::Unsafe, Severity::Other(4)];
    assert_eq!(all.map(|severity| p.of(severity)), [0.0, 0.5, 0.3, 0.2, 0.0]);
    for (policy, action) in [(Policy::default(), Action::None), (Policy::preset("strict").unwrap(), Action::Block)] {
        assert_eq!(policy.unjudged_action().unwrap(), action);
        assert_eq!(policy.decide_verdict(&Verdict::default(), "").unwrap().action, action);
        for n in [0, 1, 5] {
            for has_ended in [false, true] {
                let mut tokens = vec![TokenVerdict::default(); n];
                let decided = checked(policy.decide(Role::Assistant, &mut tokens, has_ended).unwrap());
                assert_eq!(decided.severity, Severity::NotJudged, "{n} tokens");
                assert_eq!(decided.action, if has_ended { action } else { Action::None }, "{n} tokens");
            }
        }
    }
}

#[test]
fn conversations_that_failed_or_were_stopped() {
    let (guard, cancel) = (gen(), Cancel::new().unwrap());
    let long = TEXT.repeat(20); // some 700 tokens: not all are judged at once
    let (good, bad) = ([Message::user(&long)], [Message { role: Role::User, text: b"\xff" }]);
    let strict = policy(r#""unjudged": "block""#);
    let options = ClassifyOptions { policy: Some(&strict), cancel: Some(&cancel), ..Default::default() };
    let mut all = [&good[..]; 8];
    all[1] = &bad;
    // How many were judged, and how many were stopped; the odd one fails, or is stopped as well.
    let count = |results: Vec<std::result::Result<Verdict, NotJudged>>| {
        assert_eq!(results.len(), all.len());
        let mut n = [0, 0];
        for (i, result) in results.into_iter().enumerate() {
            let failed = match result {
                Ok(verdict) => {
                    assert!(i != 1 && verdict.severity >= Severity::Safe && verdict.ruling.action >= Action::Allow);
                    n[0] += 1;
                    continue;
                }
                Err(failed) => failed,
            };
            assert_eq!((failed.ruling.action, failed.ruling.rule), (Action::Block, Rule::NotJudged), "{failed:?}");
            assert_eq!(failed.ruling.policy_name, "test");
            match failed.error.kind() {
                ErrorKind::Cancelled => n[1] += 1,
                ErrorKind::InvalidUtf8 if i == 1 => {}
                odd => panic!("{i}: {odd:?}"),
            }
        }
        n
    };
    let mut raise = |_, _| {
        cancel.set();
        ControlFlow::Continue(())
    };
    let [n_judged, n_stopped] = count(guard.classify_batch(&all, options, Some(&mut raise)).unwrap());
    assert!(n_judged > 0 && n_stopped > 0 && cancel.is_set());
    let [n_judged, n_stopped] = count(guard.classify_batch(&all, options, None).unwrap());
    assert!(n_judged == 0 && n_stopped > 0); // the flag was up before the call
    let mut stop = |_, _| ControlFlow::Break(());
    let free = ClassifyOptions { cancel: None, ..options };
    let [n_judged, n_stopped] = count(guard.classify_batch(&all, free, Some(&mut stop)).unwrap());
    assert!(n_judged > 0 && n_stopped > 0);
    assert_eq!(kind(guard.classify_prompt_with(PROMPT, options)), ErrorKind::Cancelled);
}

#[test]
fn where_a_verdict_is_from() {
    let prompt = live().classify_prompt(PROMPT).unwrap();
    assert_eq!(prompt.severity, Severity::Safe);
    assert!(prompt.position.is_some_and(|at| (1..prompt.prompt_tokens).contains(&at)), "{prompt:?}");
    assert_eq!(gen().classify_prompt(PROMPT).unwrap().position, None);
}

#[test]
fn streams_that_have_not_judged_all() {
    let guard = live();
    let open = |options: StreamOptions<'_>| Stream::open_with(&guard, &options).unwrap();
    let mut stream = open(StreamOptions::default());
    assert_eq!(incomplete(&stream).severity, Severity::NotJudged);
    stream.push_prompt(PROMPT).unwrap();
    assert_eq!(incomplete(&stream).severity, Severity::NotJudged);
    stream.push_text("Hello. ").unwrap();
    assert_eq!(checked(stream.decision().unwrap()).severity, Severity::Safe);
    // Half a character.
    stream.push_text(b"\xe4\xbd").unwrap();
    assert_eq!(incomplete(&stream).unjudged_bytes, 7..9);
    let mut cut = stream.fork().unwrap();
    assert_eq!(checked(cut.end_turn().unwrap().decision).unjudged_bytes, 7..9); // the turn ends in it
    cut.begin_turn(Role::User).unwrap();
    let mut shown = Vec::new();
    let mut writer = cut.writer(&mut shown);
    writer.write_all(b"Hello\xe4\xbd").unwrap();
    assert_eq!(writer.finish().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(shown, b"Hello");
    stream.push_text(b"\xa0").unwrap();
    assert!(checked(stream.decision().unwrap()).is_complete);
    // A push that failed, or was cancelled, has not been judged, and is no part of the turn.
    assert_eq!(kind(stream.push_text(b"\xff")), ErrorKind::InvalidUtf8);
    let cancel = Cancel::new().unwrap();
    cancel.set();
    stream.set_cancel(Some(&cancel)).unwrap();
    assert_eq!(kind(stream.push_text(THREAT)), ErrorKind::Cancelled);
    assert_eq!(stream.info().unwrap().turn_bytes, 10);
    stream.set_cancel(None).unwrap();
    stream.rewind_to_byte(0).unwrap();
    assert_eq!(incomplete(&stream).severity, Severity::NotJudged);
    // Finished turns that were not judged.
    stream.reset().unwrap();
    stream.restore(&[Message::user(PROMPT), Message::assistant(THREAT)]).unwrap();
    assert_eq!(incomplete(&stream).severity, Severity::NotJudged);

    // The context's end.
    let calm = calm();
    let options =
        StreamOptions { max_tokens: 64, context: Some(Context::Stop), policy: Some(&calm), ..Default::default() };
    let mut full = open(options);
    full.push_prompt("Hello!").unwrap();
    let at = full.push_text(TEXT.repeat(4)).unwrap().stopped_at_byte.unwrap();
    assert_eq!(incomplete(&full).unjudged_bytes, at..4 * TEXT.len() as i64);
    let ended = checked(full.end_turn().unwrap().decision);
    assert!(!ended.is_complete && ended.severity != Severity::Safe && ended.action == Action::None, "{ended:?}");
    // Text whose tokens may still change, when it has to wait.
    let mut waiting = open(StreamOptions { judge_unsettled: false, ..Default::default() });
    waiting.push_prompt("Hello!").unwrap();
    waiting.push_text("Once upon a tim").unwrap();
    assert_eq!(incomplete(&waiting).unjudged_bytes.end, 15);
    assert!(checked(waiting.end_turn().unwrap().decision).is_complete);
}

#[test]
fn gen_streams_between_two_verdicts() {
    let mut stream = Stream::open(&gen()).unwrap();
    stream.push_prompt(PROMPT).unwrap();
    stream.push_text("Hello. ").unwrap();
    assert_eq!(incomplete(&stream).unjudged_bytes, 0..7);
    let is_written = |t: &TokenVerdict| t.source == Source::Written;
    while !stream.verdicts(0).unwrap().iter().any(is_written) {
        stream.push_text(TEXT).unwrap();
    }
    stream.push_text("And more. ").unwrap();
    let end = stream.info().unwrap().turn_bytes;
    assert!(incomplete(&stream).unjudged_bytes.end == end);
    let turn = stream.end_turn().unwrap();
    let decision = checked(turn.decision);
    assert!(decision.is_complete && turn.written.unwrap().severity == decision.severity, "{decision:?}");
}

#[test]
fn a_provisional_block() {
    let mut stream = Stream::open(&live()).unwrap();
    stream.push_prompt("Hello!").unwrap();
    let mut seen = [0; 2];
    for byte in 0..THREAT.len() {
        stream.push_text(&THREAT[byte..=byte]).unwrap();
        let decision = checked(stream.decision().unwrap());
        let Some(position) = decision.position else {
            assert!(!decision.is_settled);
            continue;
        };
        let tokens = stream.verdicts(0).unwrap();
        let token = tokens.iter().find(|token| token.position == position).unwrap();
        assert_eq!((decision.is_settled, decision.ruling.is_settled), (token.is_settled, token.is_settled));
        assert_eq!(decision.explain().unwrap().contains("provisional"), !token.is_settled);
        seen[usize::from(token.is_settled)] += 1;
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    let end = stream.end_turn().unwrap().decision;
    assert!(end.is_settled && end.ruling.is_settled && end.action == Action::Block);
}

#[test]
fn batches_that_failed_or_ran_out_of_time() {
    let guard = live();
    let batch = Batch::open(&guard, BatchOptions::default()).unwrap();
    let id = batch.add(&StreamOptions::default()).unwrap();
    batch.push_prompt(id, "Hello!", None).unwrap();
    batch.push_text(id, "Good morning. ", None).unwrap();
    assert!(batch.poll(id, Duration::from_millis(1)).unwrap().is_empty()); // nobody has judged anything
    let next = || {
        batch.step(None, true).unwrap();
        batch.poll(id, Duration::ZERO).unwrap().pop().unwrap()
    };
    let update = next();
    assert!(update.kind == EventKind::Update && checked(update.decision).severity == Severity::Safe);
    batch.push_text(id, b"\xff", None).unwrap();
    let failed = next();
    assert!(matches!(&failed.kind, EventKind::Error(e) if e.kind() == ErrorKind::InvalidUtf8), "{failed:?}");
    assert!(checked(failed.decision).severity == Severity::NotJudged && failed.update.tokens.is_empty());

    let (mut a, mut b) = (Stream::open(&guard).unwrap(), Stream::open(&guard).unwrap());
    a.push_prompt(PROMPT).unwrap();
    let pushed = push_batch(&guard, &mut [(&mut a, &[1, -1]), (&mut b, &[1])]).unwrap();
    let kinds: Vec<_> = pushed.into_iter().map(|r| r.unwrap_err().kind()).collect();
    assert_eq!(kinds, [ErrorKind::TokenRange, ErrorKind::InvalidArgument]);
    for stream in [&a, &b] {
        assert_eq!(incomplete(stream).severity, Severity::NotJudged);
    }
}

fn unjudged(error: io::Error) -> Decision {
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    let Unjudged(decision) = error.get_ref().unwrap().downcast_ref().unwrap();
    checked((**decision).clone())
}

/// A writer passes on what was judged and nothing else.
#[test]
fn writers_hold_back_what_was_not_judged() {
    let mut shown = vec![];
    let mut stream = Stream::open(&live()).unwrap();
    stream.push_prompt("Hello!").unwrap();
    let mut writer = stream.writer(&mut shown);
    writer.write_all("Good \u{4f60}".as_bytes().split_last().unwrap().1).unwrap(); // without its last byte
    drop(writer);
    assert_eq!(shown, b"Good ");
    let mut writer = stream.writer(&mut shown);
    assert_eq!(writer.write(b"\xa0 morning.").unwrap(), 10);
    assert!(checked(writer.finish().unwrap().decision).is_complete);
    assert_eq!(shown.len() + 2, "Good \u{4f60} morning.".len()); // but for what the first writer was dropped with

    let calm = calm();
    let options =
        StreamOptions { max_tokens: 64, context: Some(Context::Stop), policy: Some(&calm), ..Default::default() };
    let mut stream = Stream::open_with(&live(), &options).unwrap();
    stream.push_prompt("Hello!").unwrap();
    shown.clear();
    let text = TEXT.repeat(4);
    let decision = unjudged(stream.writer(&mut shown).write_all(text.as_bytes()).unwrap_err());
    assert_eq!(decision.unjudged_bytes, shown.len() as i64..text.len() as i64);
    assert!(text.as_bytes().starts_with(&shown) && !shown.is_empty());

    // A Gen checkpoint judges at the end at the latest.
    let mut stream = Stream::open(&gen()).unwrap();
    stream.push_prompt("Hello!").unwrap();
    shown.clear();
    let mut writer = stream.writer(&mut shown);
    writer.write_all(b"Good morning.").unwrap();
    drop(writer);
    assert!(shown.is_empty());
    let mut writer = stream.writer(&mut shown);
    writer.write_all(b" Good morning.").unwrap();
    let turn = writer.finish().unwrap();
    assert!(turn.decision.is_complete && shown == b" Good morning.");

    // A user's turn is judged when it ends; an empty one has nothing to pass on.
    let guard = live();
    for (text, is_blocked) in [("Good morning.", false), (THREAT, true), ("", false)] {
        let mut stream = Stream::open(&guard).unwrap();
        stream.begin_turn(Role::User).unwrap();
        shown.clear();
        let mut writer = stream.writer(&mut shown);
        writer.write_all(text.as_bytes()).unwrap();
        let turn = writer.finish();
        assert_eq!((turn.is_err(), &shown[..]), (is_blocked, if is_blocked { &b""[..] } else { text.as_bytes() }));
    }
}

#[test]
fn messages_that_the_gen_template_leaves_out() {
    let messages =
        [Message::assistant("Hello!"), Message::user("Hi"), Message::tool("x"), Message::assistant("It is fine.")];
    let options = ClassifyOptions { reject_dropped: Some(true), ..Default::default() };
    let verdict = gen().classify(&messages).unwrap();
    assert_eq!((&verdict.dropped_messages[..], verdict.n_dropped_messages), (&[0, 2][..], 2));
    assert_eq!(kind(gen().classify_with(&messages, options)), ErrorKind::InvalidArgument);
    assert_eq!(live().classify_with(&messages, options).unwrap().n_dropped_messages, 0);
    let many = [&[Message::tool("x"); 40][..], &[Message::user("Hi")]].concat();
    let verdict = gen().classify(&many).unwrap();
    assert_eq!((verdict.dropped_messages, verdict.n_dropped_messages), ((0..31).collect(), 40));
    let options = StreamOptions { reject_dropped: Some(true), ..Default::default() };
    let mut stream = Stream::open_with(&gen(), &options).unwrap();
    assert_eq!(kind(stream.restore(&messages)), ErrorKind::InvalidArgument);
    assert_eq!(kind(stream.begin_turn(Role::Tool)), ErrorKind::InvalidArgument);
    assert_eq!(Role::Tool.to_string(), "tool");
}

// SPDX-License-Identifier: Apache-2.0
//! Verdicts, tokenizers, policies, generators against the embedded models.
use std::{
    ops::ControlFlow,
    panic::{catch_unwind, AssertUnwindSafe},
    time::Duration,
};

use common::*;
use qwen3guard::*;

mod common;

#[test]
fn threads() {
    fn send_sync<T: Send + Sync>() {}
    fn send<T: Send>() {}
    send_sync::<Guard>();
    send_sync::<Tokenizer>();
    send_sync::<Batch>();
    send_sync::<Cancel>();
    send::<Stream>();
    send::<Generator>();
    send::<StreamingDecoder>();
    let guard = gen();
    let one = guard.classify_prompt(THREAT).unwrap();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| guard.classify_prompt(THREAT).unwrap())).collect();
        for other in all {
            let p = other.join().unwrap().probabilities;
            assert!((p.r#unsafe - one.probabilities.r#unsafe).abs() < 1e-4);
        }
    });
}

#[test]
fn names_and_versions() {
    assert_eq!(abi_version(), 1);
    assert_eq!(version().split('.').count(), 3);
    assert_eq!(embedded_models(), ["nano-gen", "nano-stream"]);
    assert_eq!(Severity::Unsafe.to_string(), "Unsafe");
    assert_eq!("PII".parse::<Category>().unwrap(), Category::Pii);
    assert_eq!("Controversial".parse::<Severity>().unwrap(), Severity::Controversial);
    assert_eq!(kind("unsafe".parse::<Severity>()), ErrorKind::InvalidArgument);
    assert_eq!((Action::Block.to_string(), Role::User.to_string()), ("block".into(), "user".into()));
    assert_eq!((Source::Heads.to_string(), Reason::Run.to_string()), ("heads".into(), "run".into()));
    assert_eq!(Category::Other(99).to_string(), "unknown");
    assert_eq!(format!("{:>7}|{:<5}|", Severity::Safe, Action::Flag), "   Safe|flag |");
    for (i, category) in Category::ALL.into_iter().enumerate() {
        assert_eq!(category.value(), i as i32);
        assert_eq!(category.to_string().parse::<Category>().unwrap(), category);
    }
}

#[test]
fn verdicts_and_their_errors() {
    let guard = gen();
    let (safe, bad) = (guard.classify_prompt(PROMPT).unwrap(), guard.classify_prompt(THREAT).unwrap());
    assert_eq!((safe.severity, safe.action), (Severity::Safe, Action::Allow));
    assert_eq!((bad.severity, bad.action), (Severity::Unsafe, Action::Block));
    assert!(safe.text.starts_with("Safety: Safe") && !bad.categories.is_empty());
    let none = ClassifyOptions::default();
    let answer = guard.classify_response(PROMPT, "I cannot help with that.").unwrap();
    assert!(answer.refusal.is_some());
    let messages = [Message::user(PROMPT), Message::assistant("I cannot help with that.")];
    assert_eq!(guard.classify(&messages).unwrap().severity, answer.severity);
    assert!(guard.classify_prompt("").is_ok());
    let with_nul = guard.classify_prompt("Hello\0, world").unwrap();
    assert!(with_nul.prompt_tokens > guard.classify_prompt("Hello").unwrap().prompt_tokens); // read to the end
    let greedy = ClassifyOptions { decoder: Decoder::Greedy, ..none };
    match guard.classify_prompt_with(PROMPT, greedy) {
        Ok(verdict) => assert!(verdict.text.starts_with("Safety: ")),
        Err(error) => assert_eq!(error.kind(), ErrorKind::UnparsableOutput),
    }

    let error = guard.classify_prompt(b"caf\xe9").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidUtf8);
    assert!(error.to_string().starts_with("invalid_utf8: ") && error.to_string().contains('3'));
    let replace = ClassifyOptions { invalid_utf8: InvalidUtf8::Replace, ..none };
    assert!(guard.classify_prompt_with(b"caf\xe9", replace).is_ok());
    let crossed = ClassifyOptions { flag_threshold: Some(0.9), block_threshold: Some(0.1), ..none };
    assert_eq!(kind(guard.classify_prompt_with(PROMPT, crossed)), ErrorKind::InvalidArgument);
    assert_eq!(kind(guard.classify(&[])), ErrorKind::InvalidArgument);
    for bad in [-0.5, f32::NEG_INFINITY, 1.5, f32::NAN] {
        let flag = ClassifyOptions { flag_threshold: Some(bad), ..none };
        assert_eq!(kind(guard.classify_prompt_with(PROMPT, flag)), ErrorKind::InvalidArgument, "{bad}");
        let block = ClassifyOptions { block_threshold: Some(bad), ..none };
        assert_eq!(kind(guard.classify_batch(&[&messages], block, None)), ErrorKind::InvalidArgument, "{bad}");
    }
    assert_eq!(kind(Guard::load("no/such/folder")), ErrorKind::FileNotFound);
    assert_eq!(kind(Guard::embedded("nobody")), ErrorKind::FileNotFound);
    let p = Probabilities { safe: 0.2, controversial: 0.5, r#unsafe: 0.3 };
    let loose = ClassifyOptions { mode: Mode::Loose, ..none };
    assert_eq!(decide_action(loose, Severity::Controversial, p).unwrap(), Action::Flag);
    assert_eq!(decide_action(none, Severity::Controversial, p).unwrap(), Action::Block);
}

#[test]
fn batch_of_conversations_progress_and_panics() {
    let guard = gen();
    let (good, bad) = ([Message::user(PROMPT)], [Message { role: Role::User, text: b"\xff" }]);
    let (mut seen, none) = (vec![], ClassifyOptions::default());
    let mut count = |done, total| {
        seen.push((done, total));
        ControlFlow::Continue(())
    };
    let verdicts = guard.classify_batch(&[&good, &bad, &good], none, Some(&mut count)).unwrap();
    assert_eq!(verdicts[0].as_ref().unwrap().severity, Severity::Safe);
    assert_eq!(verdicts[1].as_ref().unwrap_err().kind(), ErrorKind::InvalidUtf8);
    assert!(verdicts[2].as_ref().unwrap().text.starts_with("Safety"));
    assert_eq!(seen, [(2, 3), (3, 3)]);
    let stopped = guard.classify_batch(&[&good[..]; 4], none, Some(&mut |_, _| ControlFlow::Break(()))).unwrap();
    let is_cancelled = |v: &&Result<Verdict>| v.as_ref().is_err_and(|e| e.kind() == ErrorKind::Cancelled);
    assert_eq!(stopped.iter().filter(is_cancelled).count(), 3);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        guard.classify_batch(&[&good[..]; 4], none, Some(&mut |_, _| panic!("mine")))
    }));
    assert_eq!(*panic.unwrap_err().downcast_ref::<&str>().unwrap(), "mine");
    assert!(guard.classify_batch(&[], none, None).unwrap().is_empty());
}

/// The script wants one severity in a row, the report none that is Safe.
#[test]
fn run_rules() {
    let token = |severity, category| TokenVerdict {
        severity,
        category,
        source: Source::Heads,
        counts: true,
        probabilities: Probabilities { safe: 0.01, controversial: 0.5, r#unsafe: 0.49 },
        ..Default::default()
    };
    let pair = [token(Severity::Unsafe, Category::Violent), token(Severity::Controversial, Category::Pii)];
    let mut mixed: Vec<_> = pair.iter().cycle().take(100).cloned().collect();
    assert_eq!(decide(&Policy::default(), &mut mixed, true).unwrap().severity, Severity::Safe);
    let report = Policy { run_rule: RunRule::Report, ..Default::default() };
    let decision = decide(&report, &mut mixed, true).unwrap();
    assert_eq!((decision.severity, decision.reason), (Severity::Unsafe, Reason::MixedRun));
    assert_eq!(decision.token.as_ref().unwrap().category, Category::Pii);
    assert!(decision.explain().unwrap().contains("2 in a row, each Unsafe or Controversial"));
}

#[test]
fn classifying_by_a_policy() {
    let guard = live();
    let hard = Policy { unsafe_threshold: Some(0.0), ..Default::default() };
    let options = ClassifyOptions { policy: Some(&hard), ..Default::default() };
    assert_eq!(guard.classify_prompt_with("Hello", options).unwrap().severity, Severity::Unsafe);
    assert_eq!(guard.classify_response_with("Hello", TEXT, options).unwrap().severity, Severity::Unsafe);
    let verdicts = guard.classify_batch(&[&[Message::user("Hello")]], options, None).unwrap();
    assert_eq!(verdicts[0].as_ref().unwrap().severity, Severity::Unsafe);
    let none = Policy { consecutive_tokens: 0, ..Default::default() };
    let options = ClassifyOptions { policy: Some(&none), ..Default::default() };
    assert_eq!(kind(guard.classify_prompt_with("Hello", options)), ErrorKind::InvalidArgument);
}

#[test]
fn cancelling() {
    let (guard, cancel) = (gen(), Cancel::new().unwrap());
    let options = ClassifyOptions { cancel: Some(&cancel), ..Default::default() };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(30));
            cancel.set();
        });
        let text = TEXT.repeat(20);
        let error = (0..100_000).find_map(|_| guard.classify_prompt_with(&text, options).err()).unwrap();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    });
    assert!(cancel.is_set());
    cancel.reset();
    assert!(guard.classify_prompt_with(PROMPT, options).is_ok());
}

#[test]
fn tokenizer_and_decoder() {
    let tokenizer = gen().tokenizer().unwrap();
    for text in ["", "Hello, world!", TEXT, &TEXT.repeat(50)] {
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(tokenizer.decode(&ids, false).unwrap(), text);
        let mut decoder = tokenizer.decoder(false).unwrap();
        let mut joined: String = ids.iter().map(|id| decoder.push(*id).unwrap()).collect();
        joined += &decoder.finish().unwrap();
        assert_eq!(joined, text);
        assert_eq!(kind(decoder.push(-1)), ErrorKind::TokenRange);
    }
    let end = tokenizer.find_added("<|im_end|>").unwrap();
    assert!(tokenizer.is_special(end) && !tokenizer.encode("<|im_end|>").unwrap().contains(&end));
    assert_eq!(tokenizer.encode_as("<|im_end|>", SpecialTokens::Recognized).unwrap(), [end]);
    assert_eq!(tokenizer.token_bytes(tokenizer.find_bytes(b"a").unwrap()).unwrap(), b"a");
    assert_eq!((tokenizer.find_bytes(b"no such token"), tokenizer.find_added("<none>")), (None, None));
    assert_eq!(kind(tokenizer.decode(&[tokenizer.vocab_size() + 9], false)), ErrorKind::TokenRange);
    assert_eq!(kind(tokenizer.token_bytes(-1)), ErrorKind::TokenRange);
    assert_eq!(kind(tokenizer.encode(b"\xff")), ErrorKind::InvalidUtf8);
    assert_eq!(kind(Tokenizer::load("no/such/file")), ErrorKind::FileNotFound);
}

#[test]
fn policies() {
    let policy = Policy { consecutive_tokens: 1, ..Default::default() };
    let options = StreamOptions { policy: Some(policy.clone()), ..Default::default() };
    let mut stream = Stream::open_with(&live(), &options).unwrap();
    stream.push_prompt("Hello!").unwrap();
    let text = THREAT.repeat(2);
    let last = stream.judge(text.split_inclusive(' ')).last().unwrap().unwrap().1;
    assert!(last.is_flagged && last.explain().unwrap().starts_with("Unsafe"));
    let token = last.token.as_ref().unwrap();
    assert!(token.severity == Severity::Unsafe && token.source == Source::Heads && token.bytes.start > 0);
    assert!(last.run_byte_begin <= token.bytes.start);
    let mut tokens = stream.verdicts(0).unwrap();
    let again = decide(&policy, &mut tokens, true).unwrap();
    assert_eq!(again.position, last.position);
    let at = tokens.iter().find(|t| Some(t.position) == again.position).unwrap();
    assert_eq!(policy.counted_severity(at).unwrap(), Severity::Unsafe);
    let none = Policy { ignored_categories: Category::ALL.to_vec(), ..policy };
    assert_eq!(decide(&none, &mut tokens, true).unwrap().severity, Severity::Safe);
    Policy::default().check().unwrap();
    for bad in [Some(2.0), Some(-1.0), Some(f32::NAN)] {
        assert_eq!(kind(Policy { unsafe_threshold: bad, ..Default::default() }.check()), ErrorKind::InvalidArgument);
    }
    for unknown in [Category::Other(77), Category::Other(-1)] {
        let thresholds = Policy { category_thresholds: vec![(unknown, 0.5)], ..Default::default() };
        let ignored = Policy { ignored_categories: vec![unknown], ..Default::default() };
        for odd in [thresholds, ignored] {
            let error = odd.check().unwrap_err();
            assert!(error.kind() == ErrorKind::InvalidArgument && error.to_string().contains("Other("), "{error}");
            let options = StreamOptions { policy: Some(odd), ..Default::default() };
            assert_eq!(kind(Stream::open_with(&live(), &options)), ErrorKind::InvalidArgument);
        }
    }
    let below = Policy { category_thresholds: vec![(Category::Pii, -0.1)], ..Default::default() };
    assert_eq!(kind(below.check()), ErrorKind::InvalidArgument);
}

#[test]
fn generators() {
    let guard = gen();
    let write = || {
        let options = SamplingOptions { seed: 7, temperature: 1.0, ..Default::default() };
        let mut writer = Generator::open(&guard, options).unwrap();
        writer.set_conversation(&[Message::user(PROMPT)]).unwrap();
        let start = writer.position().unwrap();
        let ids: Vec<_> = (0..5).map(|_| writer.next_token().unwrap().0).collect();
        assert_eq!(writer.position().unwrap(), start + 5);
        writer.rewind(start).unwrap();
        assert_eq!(writer.position().unwrap(), start);
        ids
    };
    assert_eq!(write(), write());
    let mut writer = Generator::open(&guard, SamplingOptions::default()).unwrap();
    assert_eq!(kind(writer.next_token()), ErrorKind::InvalidArgument);
    writer.set_tokens(&[1, 2, 3]).unwrap();
    assert!(writer.tokens().take(3).all(|id| id.is_ok()));
    // An error is told once, then the iterator is over: it does not go on for ever.
    let cancel = Cancel::new().unwrap();
    let mut writer = Generator::open(&guard, SamplingOptions { cancel: Some(&cancel), ..Default::default() }).unwrap();
    writer.set_tokens(&[1, 2, 3]).unwrap();
    cancel.set();
    let mut tokens = writer.tokens();
    assert_eq!(kind(tokens.next().unwrap()), ErrorKind::Cancelled);
    cancel.reset();
    assert!(tokens.next().is_none());
    assert!(writer.tokens().next().unwrap().is_ok());
    assert_eq!(kind(Generator::open(&live(), SamplingOptions::default())), ErrorKind::UnsupportedModel);
}

#[test]
fn what_a_model_is() {
    let guard = live();
    let info = guard.info().unwrap();
    assert!(info.kind == ModelKind::Stream && info.isa_available.contains(&info.isa));
    assert!(info.chat_template == ChatTemplate::Absent && info.chat_template_fingerprint.is_empty());
    let load = |known_template| {
        Guard::embedded_with(
            "nano-stream",
            GuardOptions { refuse_unknown_template: true, known_template, ..Default::default() },
        )
    };
    assert!(load("0123456789abcdef").is_ok()); // none is not an unknown one
    assert_eq!(kind(load("none")), ErrorKind::InvalidArgument);
    let ids = guard.tokenizer().unwrap().encode(TEXT).unwrap();
    let heads = guard.logits(&ids, false, None).unwrap();
    assert!(heads.iter().all(|h| h.rows == ids.len() && h.values.len() == h.rows * h.cols));
    assert!(heads.iter().all(|h| !h.name.is_empty() && h.cols > 0));
    let last = guard.logits(&ids, true, None).unwrap();
    assert!(last.iter().zip(&heads).all(|(l, h)| l.rows == 1 && l.cols == h.cols));
    assert_eq!(kind(guard.logits(&[], true, None)), ErrorKind::InvalidArgument);
    assert_eq!(kind(guard.logits(&[-1], true, None)), ErrorKind::TokenRange);
    let cancel = Cancel::new().unwrap();
    assert!(guard.logits(&ids, true, Some(&cancel)).is_ok());
    cancel.set();
    assert_eq!(kind(guard.logits(&ids, true, Some(&cancel))), ErrorKind::Cancelled);
}

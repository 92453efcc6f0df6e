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
    send_sync::<Policy>();
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
    assert_eq!(Rule::BelowThreshold.to_string(), "below_threshold");
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
    assert_eq!((safe.severity, safe.ruling.action, safe.ruling.rule), (Severity::Safe, Action::Allow, Rule::Safe));
    assert_eq!((bad.severity, bad.ruling.action, bad.ruling.rule), (Severity::Unsafe, Action::Block, Rule::Severity));
    assert_eq!((bad.role, bad.ruling.category, bad.window.as_ref()), (Role::User, Some(bad.categories[0].0), None));
    assert_eq!((&bad.ruling.policy_name[..], bad.ruling.is_settled), ("default", true));
    assert!(safe.text.starts_with("Safety: Safe") && !bad.categories.is_empty());
    let none = ClassifyOptions::default();
    let answer = guard.classify_response(PROMPT, "I cannot help with that.").unwrap();
    assert!(answer.refusal.is_some() && answer.role == Role::Assistant);
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
    assert_eq!(kind(guard.classify(&[])), ErrorKind::InvalidArgument);
    assert_eq!(kind(Guard::load("no/such/folder")), ErrorKind::FileNotFound);
    assert_eq!(kind(Guard::embedded("nobody")), ErrorKind::FileNotFound);
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
    let failed = verdicts[1].as_ref().unwrap_err();
    assert_eq!((failed.error.kind(), failed.ruling.action), (ErrorKind::InvalidUtf8, Action::None));
    assert_eq!(Error::from(failed.clone()), failed.error);
    assert!(verdicts[2].as_ref().unwrap().text.starts_with("Safety"));
    assert_eq!(seen, [(2, 3), (3, 3)]);
    let stopped = guard.classify_batch(&[&good[..]; 4], none, Some(&mut |_, _| ControlFlow::Break(()))).unwrap();
    let is_cancelled = |failed: &&NotJudged| failed.error.kind() == ErrorKind::Cancelled;
    assert_eq!(stopped.iter().filter_map(|v| v.as_ref().err()).filter(is_cancelled).count(), 3);
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
    let decision = Policy::default().decide(Role::Assistant, &mut mixed, true).unwrap();
    assert_eq!((decision.severity, decision.action), (Severity::Safe, Action::Allow));
    let report = policy(r#""debounce": {"rule": "report"}"#);
    let decision = report.decide(Role::Assistant, &mut mixed, true).unwrap();
    assert_eq!((decision.severity, decision.reason), (Severity::Unsafe, Reason::MixedRun));
    assert_eq!((decision.action, mixed[0].action, mixed[99].action), (Action::Block, Action::Allow, Action::Block));
    assert_eq!(decision.token.as_ref().unwrap().category, Category::Pii);
    assert!(decision.explain().unwrap().contains("2 in a row, each Unsafe or Controversial"));
}

/// The model's severity stays, whatever the policy makes of it.
#[test]
fn classifying_by_a_policy() {
    let guard = live();
    let hard =
        policy(r#""prompt": {"categories": {"Violent": {"block_threshold": 0}}}, "response": {"default": "off"}"#);
    let options = ClassifyOptions { policy: Some(&hard), ..Default::default() };
    let verdict = guard.classify_prompt_with("Hello", options).unwrap();
    assert_eq!(verdict.severity, Severity::Safe);
    let response = guard.classify_response_with("Hello", THREAT, options).unwrap();
    assert_eq!((response.severity, response.ruling.action), (Severity::Unsafe, Action::Allow));
    assert_eq!((response.ruling.rule, response.ruling.policy_name.as_str()), (Rule::CategoryOff, "test"));
    let verdicts = guard.classify_batch(&[&[Message::user("Hello")]], options, None).unwrap();
    assert_eq!(verdicts[0].as_ref().unwrap().ruling, verdict.ruling);
}

/// Deciding a stored verdict again gives, bit for bit, what classifying under the policy gives.
#[test]
fn deciding_again() {
    let guard = gen();
    let loose = policy(r#""mode": "loose", "prompt": {"default": "flag"}, "response": {"temperature": 2}"#);
    let sharp = policy(r#""prompt": {"default": {"flag_threshold": 0.2, "block_threshold": 0.6}}"#);
    for text in [PROMPT, THREAT, TEXT] {
        for policy in [Policy::default(), loose.clone(), sharp.clone(), Policy::preset("chat-game").unwrap()] {
            let options = ClassifyOptions { policy: Some(&policy), ..Default::default() };
            let mut stored = guard.classify_prompt_with(text, options).unwrap();
            let wanted = std::mem::take(&mut stored.ruling);
            assert_eq!(policy.decide_verdict(&stored, "").unwrap(), wanted);
            stored.ruling = sharp.decide_verdict(&stored, "").unwrap(); // another one's is not looked at
            assert_eq!(policy.decide_verdict(&stored, "").unwrap(), wanted);
        }
    }
    // A Stream checkpoint's verdict is on tokens; one that is made up has values that there are not.
    let tokens = live().classify_prompt(THREAT).unwrap();
    assert_eq!(kind(loose.decide_verdict(&tokens, "")), ErrorKind::InvalidArgument);
    let mut odd = Verdict::default();
    odd.severity = Severity::Unsafe;
    odd.categories = vec![(Category::Pii, 0.5); 10];
    let error = loose.decide_verdict(&odd, "").unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidArgument && error.to_string().contains("n_categories is 10"), "{error}");
    odd.categories.truncate(1);
    let ruling = loose.decide_verdict(&odd, "").unwrap();
    assert_eq!((ruling.action, ruling.rule, ruling.category), (Action::Flag, Rule::Severity, Some(Category::Pii)));
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
    let quick = policy(r#""debounce": {"consecutive_tokens": 1}"#);
    let options = StreamOptions { policy: Some(&quick), ..Default::default() };
    let mut stream = Stream::open_with(&live(), &options).unwrap();
    stream.push_prompt("Hello!").unwrap();
    assert_eq!(stream.prompt_decision().unwrap().action, Action::Allow);
    let text = THREAT.repeat(2);
    let last = stream.judge(text.split_inclusive(' ')).last().unwrap().unwrap().1;
    assert!(last.action == Action::Block && last.explain().unwrap().starts_with("Unsafe"));
    assert_eq!((last.ruling.action, last.ruling.policy_name.as_str()), (Action::Block, "test"));
    assert!(last.ruling.bytes.start < last.ruling.bytes.end && last.ruling.position.is_some());
    let token = last.token.as_ref().unwrap();
    assert!(token.severity == Severity::Unsafe && token.source == Source::Heads && token.bytes.start > 0);
    assert!(last.run_byte_begin <= token.bytes.start);
    let mut tokens = stream.verdicts(0).unwrap();
    let again = quick.decide(Role::Assistant, &mut tokens, false).unwrap();
    assert_eq!((again.position, again.ruling), (last.position, last.ruling));
    assert!(tokens.iter().any(|token| token.action == Action::Block));
    let off = policy(r#""response": {"default": "off"}"#).decide(Role::Assistant, &mut tokens, true).unwrap();
    assert_eq!((off.severity, off.action, off.ruling.rule), (Severity::Unsafe, Action::Allow, Rule::CategoryOff));
    assert!(tokens.iter().all(|token| token.action == Action::Allow));
}

/// Where policies come from, and what they are on paper.
#[test]
fn documents() {
    assert_eq!(Policy::presets(), ["strict", "loose", "chat-game", "assistant"]);
    let folder = Folder::new("policies");
    let path = folder.0.join("policy.json");
    for name in Policy::presets() {
        let preset = Policy::preset(name).unwrap();
        let json = preset.to_json().unwrap();
        assert_eq!(Policy::parse(&json).unwrap().to_json().unwrap(), json);
        std::fs::write(&path, &json).unwrap();
        assert_eq!(Policy::load(&path).unwrap().to_json().unwrap(), json);
        assert!(preset.describe().unwrap().contains(name), "{}", preset.describe().unwrap());
    }
    let default = Policy::default();
    assert_eq!(Policy::parse(default.to_json().unwrap()).unwrap().describe().unwrap(), default.describe().unwrap());
    assert_eq!(default.unjudged_action().unwrap(), Action::None);
    assert_eq!(Policy::preset("strict").unwrap().unjudged_action().unwrap(), Action::Block);
    let error = Policy::preset("kind").unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidArgument && error.to_string().contains("chat-game"), "{error}");
    std::fs::write(&path, "{\n  \"schema\": 1,\n  \"modus\": \"strict\"\n}").unwrap();
    let error = Policy::load(&path).unwrap_err().to_string();
    assert!(error.contains("policy.json:3:") && error.contains("modus"), "{error}");
    assert_eq!(kind(Policy::load("no/such/file")), ErrorKind::FileNotFound);
    assert_eq!(kind(Policy::parse("")), ErrorKind::InvalidArgument);
    assert_eq!(kind(Policy::parse(b"\xff")), ErrorKind::InvalidArgument);
    // A clone, and a stream, keep what they share.
    let mut stream = {
        let policy = Policy::preset("strict").unwrap();
        let copy = policy.clone();
        drop(policy);
        Stream::open_with(&live(), &StreamOptions { policy: Some(&copy), ..Default::default() }).unwrap()
    };
    stream.push_prompt(PROMPT).unwrap();
    assert_eq!(stream.decision().unwrap().ruling.policy_name, "strict");
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

/// Phrases decide before the model does, and are found across pieces.
#[test]
fn lists() {
    let rules = policy(r#""lists": {"deny": ["blue moon", "zorblax"], "allow": ["zorblax museum"]}"#);
    let options = ClassifyOptions { policy: Some(&rules), ..Default::default() };
    for guard in [gen(), live()] {
        let text = "caf\u{e9}: once in a Blue \u{200b}MOON";
        let found = guard.classify_prompt_with(text, options).unwrap();
        assert_eq!((found.severity, found.ruling.action), (Severity::NotJudged, Action::Block));
        assert_eq!((found.ruling.rule, found.ruling.phrase), (Rule::DenyList, Some(0)));
        let bytes = found.ruling.bytes.start as usize..found.ruling.bytes.end as usize;
        assert_eq!(&text[bytes], "Blue \u{200b}MOON");
        for kind in ["The Zorblax museum is open.", "bluemoon, zorblaxes"] {
            assert_eq!(guard.classify_prompt_with(kind, options).unwrap().ruling.rule, Rule::Safe, "{kind}");
        }
    }
    let stored = gen().classify_prompt("zorblax").unwrap();
    assert_eq!(rules.decide_verdict(&stored, "zorblax").unwrap().phrase, Some(1));
    let guard = live();
    for size in 1..8 {
        let mut stream =
            Stream::open_with(&guard, &StreamOptions { policy: Some(&rules), ..Default::default() }).unwrap();
        stream.push_prompt("Hello!").unwrap();
        for piece in b"Once in a blue moon. ".chunks(size) {
            stream.push_text(piece).unwrap();
        }
        let ruling = stream.end_turn().unwrap().decision.ruling;
        assert_eq!((ruling.rule, ruling.bytes), (Rule::DenyList, 10..19), "{size}");
    }
}

/// The worse of a message and its folded copy counts, and the worst of a long message's windows.
#[test]
fn copies_and_windows() {
    let disguised: String = THREAT
        .chars()
        .map(|c| match c {
            'a' => '\u{430}',
            'e' => '\u{435}',
            'o' => '\u{43e}',
            'p' => '\u{440}',
            c => c,
        })
        .collect();
    let copies = policy(r#""lists": {"folding": {"confusables": true}, "judge_folded_copy": true}"#);
    let long = "The bread rises in the warm oven. ".repeat(200) + THREAT;
    for name in ["gen", "stream"] {
        let guard = Guard::load(tiny(name)).unwrap();
        let options = ClassifyOptions { policy: Some(&copies), ..Default::default() };
        let found = guard.classify_prompt_with(&disguised, options).unwrap();
        let plain = guard.classify_prompt(&disguised).unwrap().severity;
        let folded = guard.classify_prompt(THREAT).unwrap().severity;
        assert_eq!(found.severity, if folded > plain { folded } else { plain });
        assert!(folded == plain || found.is_of_folded_copy == (folded > plain));
        let refused = Stream::open_with(&guard, &StreamOptions { policy: Some(&copies), ..Default::default() });
        assert_eq!(kind(refused), ErrorKind::InvalidArgument);

        let small =
            Guard::load_with(tiny(name), GuardOptions { max_context_tokens: 800, ..Default::default() }).unwrap();
        assert_eq!(kind(small.classify_prompt(&long)), ErrorKind::ContextFull);
        let options = ClassifyOptions { long_text: Some(LongText::Windows), ..Default::default() };
        let found = small.classify_prompt_with(&long, options).unwrap();
        assert!(found.window.is_some_and(|window| window.n_windows > 2));
        assert_ne!(found.severity, Severity::NotJudged);
    }
}

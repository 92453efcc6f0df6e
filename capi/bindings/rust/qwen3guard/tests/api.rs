// SPDX-License-Identifier: Apache-2.0
//! The safe layer against the embedded models.
use std::{
    alloc::Layout,
    ops::ControlFlow,
    panic::{catch_unwind, AssertUnwindSafe},
    path::Path,
    sync::{
        atomic::{AtomicI64, AtomicUsize, Ordering},
        Arc,
    },
    time::Duration,
};

use qwen3guard::*;

const PROMPT: &str = "How do I kill a Python process?";
const THREAT: &str = "You are a worthless idiot and I will burn your house down, kill yourself.";
const TEXT: &str =
    "Once upon a time there was a fox. It was na\u{ef}ve \u{2014} \u{4f60}\u{597d}, \u{1f600}! The end. ";

fn gen() -> Guard {
    Guard::embedded("nano-gen").unwrap()
}
fn live() -> Guard {
    Guard::embedded("nano-stream").unwrap()
}
fn kind<T>(result: Result<T>) -> ErrorKind {
    result.err().expect("an error").kind()
}
fn assert_close(a: &[TokenVerdict], b: &[TokenVerdict]) {
    assert_eq!(a.len(), b.len());
    for (x, y) in a.iter().zip(b) {
        assert_eq!((x.id, &x.bytes), (y.id, &y.bytes));
        assert!((x.probabilities.r#unsafe - y.probabilities.r#unsafe).abs() <= 1e-4);
        assert!((x.probabilities.safe - y.probabilities.safe).abs() <= 1e-4);
    }
}

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
}

#[test]
fn verdicts_and_their_errors() {
    let guard = gen();
    let (safe, bad) = (guard.classify_prompt(PROMPT).unwrap(), guard.classify_prompt(THREAT).unwrap());
    assert_eq!((safe.severity, safe.action), (Severity::Safe, Action::Allow));
    assert_eq!((bad.severity, bad.action), (Severity::Unsafe, Action::Block));
    assert!(safe.text.starts_with("Safety: Safe") && !bad.categories.is_empty());
    let none = ClassifyOptions::default();
    let answer = guard.classify_response(PROMPT, "I cannot help with that.", none).unwrap();
    assert!(answer.refusal.is_some());
    let messages = [Message::user(PROMPT), Message::assistant("I cannot help with that.")];
    assert_eq!(guard.classify(&messages, none).unwrap().severity, answer.severity);
    assert!(guard.classify_prompt("").is_ok());

    let error = guard.classify_prompt(b"caf\xe9").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidUtf8);
    assert!(error.to_string().starts_with("invalid_utf8: ") && error.to_string().contains('3'));
    let replace = ClassifyOptions { invalid_utf8: InvalidUtf8::Replace, ..none };
    assert!(guard.classify_prompt_with(b"caf\xe9", replace).is_ok());
    let crossed = ClassifyOptions { flag_threshold: Some(0.9), block_threshold: Some(0.1), ..none };
    assert_eq!(kind(guard.classify_prompt_with(PROMPT, crossed)), ErrorKind::InvalidArgument);
    assert_eq!(kind(guard.classify(&[], none)), ErrorKind::InvalidArgument);
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

    let (mut a, mut b) = (Stream::open(&guard).unwrap(), Stream::open(&guard).unwrap());
    for each in [&mut a, &mut b] {
        each.push_prompt(PROMPT).unwrap();
    }
    let done = push_batch(&guard, &mut [(&mut a, &ids), (&mut b, &[-1])]).unwrap();
    assert_close(done[0].as_ref().unwrap(), &a.verdicts(0).unwrap());
    assert_eq!(done[1].as_ref().unwrap_err().kind(), ErrorKind::TokenRange);
    let full = StreamOptions { max_tokens: 40, context: Context::Error, ..Default::default() };
    let mut small = Stream::open_with(&guard, &full).unwrap();
    assert_eq!(kind(small.push_prompt(TEXT.repeat(9))), ErrorKind::ContextFull);
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
    assert!(last.token().is_some());
    let mut tokens = stream.verdicts(0).unwrap();
    let again = decide(&policy, &mut tokens, true).unwrap();
    assert_eq!(again.position, last.position);
    let at = tokens.iter().find(|t| Some(t.position) == again.position).unwrap();
    assert_eq!(policy.counted_severity(at).unwrap(), Severity::Unsafe);
    let none = Policy { ignored_categories: all_categories().to_vec(), ..policy };
    assert_eq!(decide(&none, &mut tokens, true).unwrap().severity, Severity::Safe);
    Policy::default().check().unwrap();
    for bad in [Some(2.0), Some(f32::NAN)] {
        assert_eq!(kind(Policy { unsafe_threshold: bad, ..Default::default() }.check()), ErrorKind::InvalidArgument);
    }
    let odd = Policy { category_thresholds: vec![(Category::Other(77), 0.5)], ..Default::default() };
    odd.check().unwrap(); // a category that this library has not is passed over
}

fn all_categories() -> [Category; 9] {
    use Category::*;
    [
        Violent,
        NonViolentIllegalActs,
        SexualContent,
        Pii,
        SuicideSelfHarm,
        UnethicalActs,
        PoliticallySensitive,
        CopyrightViolation,
        Jailbreak,
    ]
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
    batch.remove(ids[0]).unwrap();
    assert_eq!(kind(batch.poll(ids[0], Duration::ZERO)), ErrorKind::InvalidArgument);
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
    assert!(writer.take(3).all(|id| id.is_ok()));
    assert_eq!(kind(Generator::open(&live(), SamplingOptions::default())), ErrorKind::UnsupportedModel);
}

#[derive(Default)]
struct Counting {
    blocks: AtomicUsize,
    bytes: AtomicI64,
}
impl Allocator for Counting {
    fn allocate(&self, layout: Layout) -> *mut u8 {
        self.blocks.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(layout.size() as i64, Ordering::Relaxed);
        unsafe { std::alloc::alloc(layout) }
    }
    unsafe fn deallocate(&self, block: *mut u8, layout: Layout) {
        self.bytes.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        unsafe { std::alloc::dealloc(block, layout) }
    }
}

#[test]
fn loading_packing_and_memory() {
    let counting: &'static Counting = Box::leak(Box::default());
    let mut lines = vec![];
    let mut log = |level: LogLevel, line: &str| lines.push((level, line.to_owned()));
    let options = GuardOptions { allocator: Some(counting), log: Some(&mut log), ..Default::default() };
    let guard = Guard::embedded_with("nano-stream", options).unwrap();
    guard.classify_prompt(PROMPT).unwrap();
    let info = guard.info().unwrap();
    assert!(info.kind == ModelKind::Stream && info.isa_available.contains(&info.isa));
    let ids = guard.tokenizer().unwrap().encode(TEXT).unwrap();
    let heads = guard.logits(&ids, false).unwrap();
    assert!(heads.iter().all(|h| h.rows == ids.len() && h.values.len() == h.rows * h.cols));
    assert_eq!(kind(guard.logits(&[], true)), ErrorKind::InvalidArgument);
    drop(guard);
    assert!(counting.blocks.load(Ordering::Relaxed) > 0);
    assert_eq!(counting.bytes.load(Ordering::Relaxed), 0);
    assert!(lines.len() == 1 && lines[0].1.contains("nano-stream"));

    let folder = std::env::temp_dir().join(format!("qwen3guard_rust_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("model.q3g");
    let (model, none) = (Model::Embedded("nano-gen"), QuantizeOptions::default());
    let mut calls = 0;
    let mut count = |_, _| {
        calls += 1;
        ControlFlow::Continue(())
    };
    let report = quantize(model, &path, none, Some(&mut count)).unwrap();
    assert_eq!(report.file_bytes as u64, std::fs::metadata(&path).unwrap().len());
    assert!(calls > 0);
    verify_packed(&path).unwrap();
    assert_eq!(kind(quantize(model, &path, none, None)), ErrorKind::Io);
    let again = QuantizeOptions { overwrite: true, ..none };
    let stop = quantize(model, &path, again, Some(&mut |_, _| ControlFlow::Break(())));
    assert_eq!(kind(stop), ErrorKind::Cancelled);
    let bytes: Arc<[u8]> = std::fs::read(&path).unwrap().into();
    let loaded = Guard::load(&path).unwrap().classify_prompt(THREAT).unwrap();
    let in_memory = Guard::from_memory(Arc::clone(&bytes), GuardOptions::default()).unwrap();
    assert_eq!(in_memory.classify_prompt(THREAT).unwrap().probabilities, loaded.probabilities);
    assert!(Arc::strong_count(&bytes) > 1);
    drop(in_memory);
    assert_eq!(Arc::strong_count(&bytes), 1);
    let damaged: Arc<[u8]> = Arc::from(&bytes[..1000]);
    assert!(Guard::from_memory(Arc::clone(&damaged), GuardOptions::default()).is_err());
    assert_eq!(Arc::strong_count(&damaged), 1);
    assert_eq!(kind(quantize(Model::Path(Path::new("no/such")), &path, again, None)), ErrorKind::FileNotFound);
    std::fs::remove_dir_all(&folder).unwrap();
    let figures = measure(Model::Embedded("nano-stream"), MeasureOptions { quick: true, n_threads: 1 }).unwrap();
    assert!(figures.decode_ms > 0.0);
}

// SPDX-License-Identifier: Apache-2.0
//! Who owns what, and until when: allocators, models in memory, closures.
use std::{
    alloc::Layout,
    panic::{catch_unwind, AssertUnwindSafe},
    sync::{
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
        Arc,
    },
};

use common::*;
use qwen3guard::*;

mod common;

#[derive(Default)]
struct Counting {
    n_blocks: AtomicUsize,
    bytes: AtomicI64,
    is_broken: AtomicBool,
}
// SAFETY: the system's allocator's blocks.
unsafe impl Allocator for Counting {
    fn allocate(&self, layout: Layout) -> *mut u8 {
        assert!(layout.size() > 0);
        if self.is_broken.load(Ordering::Relaxed) {
            panic!("no memory");
        }
        self.n_blocks.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(layout.size() as i64, Ordering::Relaxed);
        unsafe { std::alloc::alloc(layout) }
    }
    unsafe fn deallocate(&self, block: *mut u8, layout: Layout) {
        self.bytes.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        unsafe { std::alloc::dealloc(block, layout) }
    }
}

impl Counting {
    fn is_at_rest(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1 && self.bytes.load(Ordering::Relaxed) == 0
    }
}

fn with(counting: &Arc<Counting>) -> GuardOptions<'static> {
    GuardOptions { allocator: Some(Arc::<Counting>::clone(counting)), ..Default::default() }
}

#[test]
fn an_allocator_is_given_back_whatever_goes_last() {
    let counting = Arc::<Counting>::default();
    for order in 0..3 {
        let guard = Guard::embedded_with("nano-stream", with(&counting)).unwrap();
        let mut stream = Stream::open(&guard).unwrap();
        stream.push_prompt(PROMPT).unwrap();
        let fork = stream.fork().unwrap();
        let batch = Batch::open(&guard, BatchOptions::default()).unwrap();
        assert!(!counting.is_at_rest());
        match order {
            0 => drop((guard, stream, fork, batch)),
            1 => drop((batch, fork, stream, guard)),
            _ => {
                drop((guard, batch));
                stream.push_text(TEXT).unwrap();
                drop(stream);
                assert_eq!(Arc::strong_count(&counting), 2);
                std::thread::spawn(move || drop(fork)).join().unwrap();
            }
        }
        assert!(counting.is_at_rest(), "order {order}");
    }
    assert!(counting.n_blocks.load(Ordering::Relaxed) > 0);
}

#[test]
fn an_allocator_is_given_back_when_loading_fails() {
    let counting = Arc::<Counting>::default();
    let is_back = |result: Result<Guard>, expected| {
        assert_eq!(kind(result), expected);
        assert!(counting.is_at_rest());
    };
    is_back(Guard::load_with("no/such/folder", with(&counting)), ErrorKind::FileNotFound);
    is_back(Guard::embedded_with("nobody", with(&counting)), ErrorKind::FileNotFound);
    is_back(Guard::from_memory(&b"damaged"[..], with(&counting)), ErrorKind::BadCheckpoint);
    let options = GuardOptions { n_threads: -1, ..with(&counting) };
    is_back(Guard::embedded_with("nano-gen", options), ErrorKind::InvalidArgument);
    let options = GuardOptions { isa: "abacus", ..with(&counting) };
    is_back(Guard::embedded_with("nano-gen", options), ErrorKind::UnsupportedIsa);
    let options = GuardOptions { isa: "av\0x2", ..with(&counting) };
    is_back(Guard::embedded_with("nano-gen", options), ErrorKind::InvalidArgument);
    let nul = vec![("a\0b".to_owned(), &b""[..])];
    is_back(Guard::from_files(nul, with(&counting)), ErrorKind::InvalidArgument);
}

#[test]
fn a_panic_of_an_allocator_is_an_error_of_the_call() {
    let counting = Arc::<Counting>::default();
    let guard = Guard::embedded_with("nano-stream", with(&counting)).unwrap();
    counting.is_broken.store(true, Ordering::Relaxed);
    let result = Stream::open(&guard).and_then(|mut stream| stream.push_prompt(TEXT.repeat(4)));
    assert_eq!(kind(result), ErrorKind::OutOfMemory);
    counting.is_broken.store(false, Ordering::Relaxed);
    Stream::open(&guard).unwrap().push_prompt(PROMPT).unwrap();
    drop(guard);
    assert!(counting.is_at_rest());
}

#[test]
fn a_log_and_its_panic() {
    let counting = Arc::<Counting>::default();
    let mut lines = vec![];
    let mut log = |level: LogLevel, line: &str| lines.push((level, line.to_owned()));
    let guard =
        Guard::embedded_with("nano-stream", GuardOptions { log: Some(&mut log), ..Default::default() }).unwrap();
    guard.classify_prompt(PROMPT).unwrap();
    assert!(lines.len() == 1 && lines[0].0 == LogLevel::Info && lines[0].1.contains("nano-stream"));
    let mut log = |_: LogLevel, _: &str| panic!("mine");
    let options = GuardOptions { log: Some(&mut log), ..with(&counting) };
    let panic = catch_unwind(AssertUnwindSafe(|| Guard::embedded_with("nano-stream", options))).unwrap_err();
    assert_eq!(*panic.downcast_ref::<&str>().unwrap(), "mine");
    assert!(counting.is_at_rest()); // the guard that was loaded is gone
}

/// Bytes whose owner lends others when it is asked again, and whose destructor panics.
struct Fickle {
    bytes: Arc<[u8]>,
    n_asked: AtomicUsize,
}
impl AsRef<[u8]> for Fickle {
    fn as_ref(&self) -> &[u8] {
        match self.n_asked.fetch_add(1, Ordering::Relaxed) {
            0 => &self.bytes,
            _ => &[],
        }
    }
}
impl Drop for Fickle {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn models_in_memory_are_kept_as_long_as_they_are_used() {
    let folder = Folder::new("memory");
    let path = folder.0.join("model.q3g");
    quantize(Model::Embedded("nano-stream"), &path, QuantizeOptions::default(), None).unwrap();
    let bytes: Arc<[u8]> = std::fs::read(&path).unwrap().into();
    let loaded = Guard::load(&path).unwrap().classify_prompt(THREAT).unwrap();
    let guard = Guard::from_memory(Arc::clone(&bytes), GuardOptions::default()).unwrap();
    assert_eq!(guard.classify_prompt(THREAT).unwrap().probabilities, loaded.probabilities);
    let mut stream = Stream::open(&guard).unwrap();
    drop(guard);
    assert_eq!(Arc::strong_count(&bytes), 2);
    stream.push_prompt(PROMPT).unwrap();
    drop(stream);
    assert_eq!(Arc::strong_count(&bytes), 1);
    let damaged: Arc<[u8]> = Arc::from(&bytes[..1000]);
    assert_eq!(kind(Guard::from_memory(Arc::clone(&damaged), GuardOptions::default())), ErrorKind::BadCheckpoint);
    assert_eq!(Arc::strong_count(&damaged), 1);

    // A byte of a matrix: compared by default here, and of a file when that is asked for.
    let mut damaged = bytes.to_vec();
    let at = damaged.len() - 1000;
    damaged[at] ^= 1;
    let verify = |verify| GuardOptions { verify, ..GuardOptions::default() };
    assert_eq!(kind(Guard::from_memory(damaged.clone(), GuardOptions::default())), ErrorKind::BadCheckpoint);
    drop(Guard::from_memory(damaged.clone(), verify(Verify::Off)).unwrap());
    std::fs::write(&path, &damaged).unwrap();
    drop(Guard::load(&path).unwrap());
    assert_eq!(kind(Guard::load_with(&path, verify(Verify::Full))), ErrorKind::BadCheckpoint);

    let fickle = Fickle { bytes: Arc::clone(&bytes), n_asked: AtomicUsize::new(0) };
    let guard = Guard::from_memory(fickle, GuardOptions::default()).unwrap();
    assert_eq!(guard.classify_prompt(THREAT).unwrap().probabilities, loaded.probabilities);
    drop(guard); // the panic of the owner's destructor stays where it is, behind C
    assert_eq!(Arc::strong_count(&bytes), 1);
}

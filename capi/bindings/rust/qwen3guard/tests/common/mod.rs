// SPDX-License-Identifier: Apache-2.0
//! What the tests share.
#![allow(dead_code)] // each file of tests uses some of it
use qwen3guard::*;

pub const PROMPT: &str = "How do I kill a Python process?";
pub const THREAT: &str = "You are a worthless idiot and I will burn your house down, kill yourself.";
pub const TEXT: &str =
    "Once upon a time there was a fox. It was na\u{ef}ve \u{2014} \u{4f60}\u{597d}, \u{1f600}! The end. ";

/// The folder of a checkpoint, "gen" or "stream", that settles what tests ask about, whatever the models in the library
/// believe.
pub fn tiny(kind: &str) -> std::path::PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../../../tests/golden/tiny", kind].iter().collect()
}
pub fn gen() -> Guard {
    Guard::load(tiny("gen")).unwrap()
}
pub fn live() -> Guard {
    Guard::load(tiny("stream")).unwrap()
}
/// A policy named "test" with these members.
pub fn policy(members: &str) -> Policy {
    Policy::parse(format!(r#"{{"schema": 1, "name": "test", "version": "7", {members}}}"#)).unwrap()
}
/// By which nothing is blocked.
pub fn calm() -> Policy {
    policy(r#""prompt": {"default": "off"}, "response": {"default": "off"}"#)
}
pub fn kind<T>(result: Result<T>) -> ErrorKind {
    result.err().expect("an error").kind()
}
pub fn assert_close(a: &[TokenVerdict], b: &[TokenVerdict]) {
    assert_eq!(a.len(), b.len());
    for (x, y) in a.iter().zip(b) {
        assert_eq!((x.id, &x.bytes), (y.id, &y.bytes));
        assert!((x.probabilities.r#unsafe - y.probabilities.r#unsafe).abs() <= 1e-4);
        assert!((x.probabilities.safe - y.probabilities.safe).abs() <= 1e-4);
    }
}

/// A folder for one test, removed with its content.
pub struct Folder(pub std::path::PathBuf);
impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("qwen3guard_rust_{}_{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}
impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Packing, and what stops it.
use std::{ops::ControlFlow, path::Path, time::Duration};

use common::*;
use qwen3guard::*;

mod common;

#[test]
fn packing_and_its_errors() {
    let folder = Folder::new("packing");
    let path = folder.0.join("model.q3g");
    let gen = tiny("gen");
    let (model, none) = (Model::Path(&gen), QuantizeOptions::default());
    let mut calls = vec![];
    let mut count = |done, total| {
        calls.push((done, total));
        ControlFlow::Continue(())
    };
    let report = quantize(model, &path, none, Some(&mut count)).unwrap();
    assert_eq!(report.file_bytes as u64, std::fs::metadata(&path).unwrap().len());
    assert!(report.source_bytes > 0 && report.weight_dtype.contains("int8"), "{report:?}");
    assert!(calls.windows(2).all(|pair| pair[0].0 <= pair[1].0) && calls.last().is_some_and(|(n, all)| n == all));
    verify_packed(&path, None).unwrap();
    assert_eq!(kind(quantize(model, &path, none, None)), ErrorKind::Io);
    let again = QuantizeOptions { overwrite: true, ..none };
    let plain = QuantizeOptions { embeddings: PackedEmbeddings::Plain, ..again };
    assert!(quantize(model, &path, plain, None).unwrap().file_bytes > report.file_bytes);
    let stop = quantize(model, &path, again, Some(&mut |_, _| ControlFlow::Break(())));
    assert_eq!(kind(stop), ErrorKind::Cancelled);
    verify_packed(&path, None).unwrap(); // the old one is still there
    assert_eq!(kind(quantize(Model::Path(Path::new("no/such")), &path, again, None)), ErrorKind::FileNotFound);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last / 2] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(kind(verify_packed(&path, None)), ErrorKind::BadCheckpoint);
}

/// What a call comes to whose flag another thread raises after `delay`.
fn cancelled<T: Send>(call: impl FnOnce(&Cancel) -> Result<T>, delay: Duration) -> Result<T> {
    let cancel = Cancel::new().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(delay);
            cancel.set();
        });
        call(&cancel)
    })
}

#[test]
fn packing_is_stopped_from_another_thread() {
    let folder = Folder::new("cancel");
    let path = folder.0.join("model.q3g");
    // Each progress call waits for the flag: the call is still running when it goes up.
    let result = cancelled(
        |cancel| {
            let options = QuantizeOptions { cancel: Some(cancel), ..Default::default() };
            let mut wait = |_, _| {
                while !cancel.is_set() {
                    std::thread::yield_now();
                }
                ControlFlow::Continue(())
            };
            quantize(Model::Embedded("nano-gen"), &path, options, Some(&mut wait))
        },
        Duration::from_millis(5),
    );
    assert_eq!(kind(result), ErrorKind::Cancelled);
    assert!(!path.exists());
    let cancel = Cancel::new().unwrap();
    let options = QuantizeOptions { cancel: Some(&cancel), ..Default::default() };
    quantize(Model::Embedded("nano-gen"), &path, options, None).unwrap(); // a flag that is down changes nothing
    verify_packed(&path, Some(&cancel)).unwrap();
    cancel.set();
    assert_eq!(kind(verify_packed(&path, Some(&cancel))), ErrorKind::Cancelled);
}

#[cfg(unix)]
#[test]
fn paths_that_are_not_utf8_are_told() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let path = Path::new(OsStr::from_bytes(b"caf\xe9"));
    let error = Guard::load(path).unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidUtf8 && error.to_string().contains("byte 3"), "{error}");
    assert_eq!(kind(Tokenizer::load(path)), ErrorKind::InvalidUtf8);
    assert_eq!(kind(verify_packed(path, None)), ErrorKind::InvalidUtf8);
    assert_eq!(kind(Guard::load("a\0b")), ErrorKind::InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0
//! The README shows the example as it is.
use std::{fs, path::Path};

#[test]
fn the_readme_shows_the_example() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(here.join("../README.md")).unwrap();
    let example = fs::read_to_string(here.join("examples/stream.rs")).unwrap();
    // All but the lines of comments that the file begins with.
    let code = &example[example.find("use ").unwrap()..];
    assert!(readme.contains(&format!("```rust\n{code}```\n")), "README.md is not in step with examples/stream.rs");
    assert!(code.lines().count() <= 30);
}

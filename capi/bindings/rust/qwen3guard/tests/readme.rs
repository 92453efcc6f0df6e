// SPDX-License-Identifier: Apache-2.0
//! The README and the project's documents show the examples as they are.
use std::{fs, path::Path};

#[test]
fn documents_show_the_examples() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = "../README.md";
    let hold_back = "../../../../docs/hold_back.md";
    let policy = "../../../../docs/policy.md";
    let shown = [(readme, "stream"), (readme, "hold_back"), (hold_back, "hold_back"), (policy, "policy")];
    for (document, name) in shown {
        let text = fs::read_to_string(here.join(document)).unwrap();
        let example = fs::read_to_string(here.join(format!("examples/{name}.rs"))).unwrap();
        // All but the lines of comments that the file begins with.
        let code = &example[example.find("use ").unwrap()..];
        assert!(text.contains(&format!("```rust\n{code}```\n")), "{document} is not in step with examples/{name}.rs");
        assert!(code.lines().count() <= 36, "{name}");
    }
}

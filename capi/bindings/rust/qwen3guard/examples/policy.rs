// SPDX-License-Identifier: Apache-2.0
//! A prompt's verdict, and what two policies make of it.
use qwen3guard::{ClassifyOptions, Guard, Policy};

fn main() -> qwen3guard::Result<()> {
    // A file, or one of the library's own.
    let policy = match std::env::args().nth(1) {
        Some(path) => Policy::load(path)?,
        None => Policy::preset("chat-game")?,
    };
    print!("{}", policy.describe()?);

    let guard = Guard::embedded("nano-gen")?;
    let options = ClassifyOptions { policy: Some(&policy), ..Default::default() };
    let verdict = guard.classify_prompt_with("I will burn your house down, idiot", options)?;
    let ruling = &verdict.ruling;
    let (name, version) = (&ruling.policy_name, &ruling.policy_version);
    println!("{} -> {}, by rule {} of {name} {version}", verdict.severity, ruling.action, ruling.rule);

    // What was judged once can be ruled on again, without a model.
    let stricter = Policy::preset("strict")?.decide_verdict(&verdict, "")?;
    println!("strict would {} it", stricter.action);
    Ok(())
}

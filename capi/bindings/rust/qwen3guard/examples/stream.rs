// SPDX-License-Identifier: Apache-2.0
//! A prompt's verdict, then a response judged word by word until it is flagged.
use qwen3guard::{Guard, Stream};

fn main() -> qwen3guard::Result<()> {
    let gen = Guard::embedded("nano-gen")?; // or Guard::load("path/to/Qwen3Guard-Gen-0.6B")
    let verdict = gen.classify_prompt("How do I kill a Python process?")?;
    println!("{} -> {}", verdict.severity, verdict.action);

    let mut stream = Stream::open(&Guard::embedded("nano-stream")?)?;
    stream.push_prompt("Hello!")?;
    let words = "You are a worthless idiot and nobody likes you.".split_inclusive(' ');
    for (word, judged) in words.clone().zip(stream.judge(words)) {
        let (_, decision) = judged?;
        println!("{word}: {}", decision.severity);
        if decision.is_flagged {
            println!("{}", decision.explain()?);
            break;
        }
    }
    Ok(())
}

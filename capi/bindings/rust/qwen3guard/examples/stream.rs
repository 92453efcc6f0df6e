// SPDX-License-Identifier: Apache-2.0
//! A prompt's verdict, then a response judged word by word until it is flagged. What was not judged is an error.
use qwen3guard::{Guard, Stream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gen = Guard::embedded("nano-gen")?; // or Guard::load("path/to/Qwen3Guard-Gen-0.6B")
    let verdict = gen.classify_prompt("How do I kill a Python process?")?;
    println!("{} -> {}", verdict.severity, verdict.action);

    let mut stream = Stream::open(&Guard::embedded("nano-stream")?)?;
    stream.push_prompt("Hello!")?;
    let mut held = String::new(); // until it is judged, and no flag is up
    for word in "You are a worthless idiot and nobody likes you.".split_inclusive(' ') {
        stream.push_text(word)?;
        held += word;
        let decision = stream.decision()?;
        if decision.is_flagged && decision.is_settled() {
            break; // the next word may take back a flag that is not settled
        }
        if decision.is_complete && !decision.is_flagged {
            println!("{}: {}", std::mem::take(&mut held), decision.severity);
        }
    }
    let decision = stream.end_turn()?.decision; // nothing follows: all of it is settled
    if !decision.is_complete {
        return Err(format!("not judged: {}", decision.explain()?).into());
    }
    println!("{held}: {}", decision.explain()?);
    Ok(())
}

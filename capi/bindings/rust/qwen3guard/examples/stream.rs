// SPDX-License-Identifier: Apache-2.0
//! A prompt's verdict, then a response judged word by word until it is blocked. What was not judged is an error.
use qwen3guard::{Action, Guard, Stream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gen = Guard::embedded("nano-gen")?; // or Guard::load("path/to/Qwen3Guard-Gen-0.6B")
    let verdict = gen.classify_prompt("How do I kill a Python process?")?;
    println!("{} -> {}", verdict.severity, verdict.ruling.action);

    let mut stream = Stream::open(&Guard::embedded("nano-stream")?)?;
    stream.push_prompt("Hello!")?;
    let mut held = String::new(); // until it is judged, and not blocked
    for word in "You are a worthless idiot and nobody likes you.".split_inclusive(' ') {
        stream.push_text(word)?;
        held += word;
        let decision = stream.decision()?;
        if decision.action == Action::Block && decision.ruling.is_settled {
            break; // the next word may take back what is not settled
        }
        if decision.is_complete && decision.action != Action::Block {
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

// SPDX-License-Identifier: Apache-2.0
//! An answer that is shown when it was judged; what is blocked is written again.
use qwen3guard::{Guard, HoldBackError, Stream};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut stream = Stream::open(&Guard::embedded("nano-stream")?)?;
    stream.push_prompt("Hello!")?;
    let mut hold = stream.hold_back(Default::default())?;
    // What the model writes first, and when it is asked again.
    let mut answers = ["You are a worthless idiot and nobody likes you.", "Good morning!"].into_iter();
    while let Some(answer) = answers.next() {
        let mut block = None;
        for text in hold.shown(answer.split_inclusive(' ')) {
            match text {
                Ok(text) => print!("{text}"),
                Err(HoldBackError::Blocked(found)) => block = Some(found),
                Err(error) => return Err(error.into()),
            }
        }
        let Some(block) = block else { break }; // all of it was shown
        println!("[blocked: {} bytes were shown]", block.shown_bytes);
        if block.retries_left == 0 || answers.len() == 0 {
            hold.withdraw()?;
            break;
        }
        hold.retry(None)?; // the model goes on at block.continue_byte
    }
    println!("\n{} bytes were never shown", hold.stats()?.withdrawn_bytes);
    Ok(())
}

// SPDX-License-Identifier: Apache-2.0
//! Time of a call through this binding, in nanoseconds: the least of 20 means of 20,000 calls. What the same calls take
//! in C++ is what benchmarks/overhead of the project prints.
use std::{hint::black_box, time::Instant};

use qwen3guard::{Guard, Stream};

fn least_ns(mut call: impl FnMut()) -> f64 {
    (0..20).fold(f64::MAX, |least, _| {
        let start = Instant::now();
        (0..20000).for_each(|_| call());
        least.min(start.elapsed().as_nanos() as f64 / 20000.0)
    })
}

fn main() -> qwen3guard::Result<()> {
    let guard = Guard::embedded("nano-stream")?;
    let (tokenizer, mut stream) = (guard.tokenizer()?, Stream::open(&guard)?);
    stream.push_prompt("Tell me a story.")?;
    stream.push_text("Once upon a time there was a fox.")?;
    println!("rust encode {:.0}", least_ns(|| drop(black_box(tokenizer.encode("Hello, world!")))));
    println!("rust decision {:.0}", least_ns(|| drop(black_box(stream.decision()))));
    Ok(())
}

// SPDX-License-Identifier: Apache-2.0
//! The C interface of qwen3guard as it is: `qwen3guard.h` has the rules and the meaning of everything. The crate
//! `qwen3guard` is the safe layer.
#![no_std]
#![allow(non_camel_case_types)]
#[rustfmt::skip]
mod raw;
pub use raw::*;

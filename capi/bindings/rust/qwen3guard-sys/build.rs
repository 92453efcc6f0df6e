// SPDX-License-Identifier: Apache-2.0
//! Where the C library is: the folder in QWEN3GUARD_LIB_DIR, or what pkg-config knows, or the linker's own search.
use std::{env, process::Command};

fn main() {
    println!("cargo:rerun-if-env-changed=QWEN3GUARD_LIB_DIR");
    let kind = if env::var_os("CARGO_FEATURE_STATIC").is_some() { "static" } else { "dylib" };
    if let Some(folder) = env::var("QWEN3GUARD_LIB_DIR").ok().or_else(from_pkg_config) {
        println!("cargo:rustc-link-search=native={folder}");
    }
    println!("cargo:rustc-link-lib={kind}=qwen3guard_c");
    if kind == "static" {
        println!("cargo:rustc-link-lib=dylib=stdc++");
    }
}

fn from_pkg_config() -> Option<String> {
    let output = Command::new("pkg-config").args(["--variable=libdir", "qwen3guard_c"]).output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !folder.is_empty()).then_some(folder)
}

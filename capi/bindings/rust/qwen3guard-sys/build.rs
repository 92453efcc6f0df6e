// SPDX-License-Identifier: Apache-2.0
//! Where the C library is: the folder in QWEN3GUARD_LIB_DIR, or what pkg-config knows. Anything else is an error here, with
//! what to do, instead of one of the linker's. Build scripts of crates that depend on this one get the folder as
//! DEP_QWEN3GUARD_C_LIB_DIR, for a run path.
use std::{
    env,
    path::{Path, PathBuf},
    process::{exit, Command},
};

const WHAT_TO_DO: &str = "Build it in a checkout of qwen3guard (cmake --preset release && cmake --build --preset release \
--target qwen3guard_c) and set QWEN3GUARD_LIB_DIR to its folder (build/release/capi, as an absolute path), or install it \
(cmake --install build/release) where pkg-config finds qwen3guard_c.";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for name in
        ["QWEN3GUARD_LIB_DIR", "PKG_CONFIG", "PKG_CONFIG_PATH", "PKG_CONFIG_SYSROOT_DIR", "PKG_CONFIG_ALLOW_CROSS"]
    {
        println!("cargo:rerun-if-env-changed={name}");
    }
    if env::var_os("DOCS_RS").is_some() {
        return; // documentation needs no library
    }
    let is_static = env::var_os("CARGO_FEATURE_STATIC").is_some();
    let (file, folder) = find(is_static).unwrap_or_else(|error| {
        eprintln!("qwen3guard-sys: {error}\n{WHAT_TO_DO}");
        exit(1)
    });
    println!("cargo:rerun-if-changed={}", file.display());
    println!("cargo:rustc-link-search=native={}", folder.display());
    println!("cargo:lib_dir={}", folder.display());
    if !is_static {
        println!("cargo:rustc-link-lib=dylib=qwen3guard_c");
        return;
    }
    // The archive holds all it needs but the C++ run-time library, which must come behind it.
    println!("cargo:rustc-link-lib=static=qwen3guard_c");
    match (target("OS").as_str(), target("ENV").as_str()) {
        (_, "msvc") => {}
        ("macos" | "ios" | "freebsd" | "openbsd" | "android", _) => println!("cargo:rustc-link-lib=dylib=c++"),
        _ => println!("cargo:rustc-link-lib=dylib=stdc++"),
    }
}

/// The library's file and its folder.
fn find(is_static: bool) -> Result<(PathBuf, PathBuf), String> {
    let (folder, whence) = match env::var_os("QWEN3GUARD_LIB_DIR") {
        Some(folder) => (PathBuf::from(folder), "QWEN3GUARD_LIB_DIR".to_owned()),
        None => {
            let folder = from_pkg_config().map_err(|e| format!("QWEN3GUARD_LIB_DIR is not set, and {e}."))?;
            (folder, "what pkg-config says".to_owned())
        }
    };
    if folder.is_relative() {
        return Err(format!("{whence} is \"{}\"; expected an absolute path.", folder.display()));
    }
    let names = file_names(is_static);
    let file = names.iter().map(|name| folder.join(name)).find(|file| file.exists());
    match file {
        Some(file) => Ok((file, folder)),
        None => Err(format!("{whence} is \"{}\", where there is no {}.", folder.display(), names.join(" nor "))),
    }
}

fn file_names(is_static: bool) -> &'static [&'static str] {
    match (target("OS").as_str(), target("ENV").as_str(), is_static) {
        ("windows", "msvc", _) => &["qwen3guard_c.lib"],
        ("windows", _, false) => &["libqwen3guard_c.dll.a", "qwen3guard_c.dll"],
        (_, _, true) => &["libqwen3guard_c.a"],
        ("macos" | "ios", _, false) => &["libqwen3guard_c.dylib"],
        _ => &["libqwen3guard_c.so"],
    }
}

fn from_pkg_config() -> Result<PathBuf, String> {
    // The host's libraries are no use to another target.
    let knows_target = ["PKG_CONFIG_SYSROOT_DIR", "PKG_CONFIG_ALLOW_CROSS"].iter().any(|n| env::var_os(n).is_some());
    if env::var_os("HOST") != env::var_os("TARGET") && !knows_target {
        return Err("pkg-config is not asked when compiling for another system".to_owned());
    }
    let program = env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    let output = Command::new(&program)
        .args(["--variable=libdir", "qwen3guard_c"])
        .output()
        .map_err(|e| format!("{} cannot be run: {e}", Path::new(&program).display()))?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || folder.is_empty() {
        return Err("pkg-config does not know qwen3guard_c".to_owned());
    }
    Ok(folder.into())
}

fn target(what: &str) -> String {
    env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default()
}

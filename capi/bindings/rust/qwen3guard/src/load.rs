// SPDX-License-Identifier: Apache-2.0
//! How models get in: folders, packed files, models of the library, memory.
use std::{
    ffi::{c_char, c_void, CString},
    fmt,
    path::Path,
    sync::Arc,
};

use qwen3guard_sys as sys;

use crate::{
    allocator::{to_c, Allocator},
    c::{defaults, lent, sized, static_text},
    callback::{contain, Guarded},
    Error, Guard, LogLevel, Result, Verify,
};

/// A path as the C interface wants it: UTF-8. Other bytes pass as they are, for the library to name the first one.
pub(crate) fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// Text with a NUL at its end.
pub(crate) fn c_string(text: &str, name: &str) -> Result<CString> {
    CString::new(text)
        .map_err(|e| Error::invalid(format!("{name}: a NUL at byte {}; expected text without one", e.nul_position())))
}

/// Called with each line, on the thread that loads, and never after the call.
pub type Log<'a> = dyn FnMut(LogLevel, &str) + 'a;

/// How a model is loaded.
#[derive(Default)]
pub struct GuardOptions<'a> {
    /// Threads of one call; 0: all cores.
    pub n_threads: i32,
    /// Upper bound of a conversation, in tokens; 0: the checkpoint's own.
    pub max_context_tokens: i32,
    /// Gen: tokens of the last conversations that are kept; None: the default; 0: none.
    pub kept_tokens: Option<i32>,
    /// A model without tokenizer files loads, for logits only.
    pub without_tokenizer: bool,
    /// How much of the files is compared. A damaged one is `BadCheckpoint`.
    pub verify: Verify,
    /// A checkpoint whose own chat template is unknown is `UnsupportedModel`.
    pub refuse_unknown_template: bool,
    /// A [`ModelInfo::chat_template_fingerprint`](crate::ModelInfo::chat_template_fingerprint) that counts as known; empty:
    /// none.
    pub known_template: &'a str,
    /// Instruction set: one of [`ModelInfo::isa_available`](crate::ModelInfo::isa_available); empty: the best there is.
    pub isa: &'a str,
    /// For large blocks; None: the system's. Dropped when the guard and all that was made from it are gone, or when
    /// loading failed.
    pub allocator: Option<Arc<dyn Allocator>>,
    /// Told what was loaded and how.
    pub log: Option<&'a mut Log<'a>>,
}

impl fmt::Debug for GuardOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardOptions")
            .field("n_threads", &self.n_threads)
            .field("max_context_tokens", &self.max_context_tokens)
            .field("kept_tokens", &self.kept_tokens)
            .field("without_tokenizer", &self.without_tokenizer)
            .field("verify", &self.verify)
            .field("refuse_unknown_template", &self.refuse_unknown_template)
            .field("known_template", &self.known_template)
            .field("isa", &self.isa)
            .field("allocator", &self.allocator.is_some())
            .field("log", &self.log.is_some())
            .finish()
    }
}

/// Names of the models in the library.
#[must_use]
pub fn embedded_models() -> Vec<&'static str> {
    // SAFETY: static storage.
    (0..).map(|i| unsafe { static_text(sys::q3g_embedded_model_name(i)) }).take_while(|n| !n.is_empty()).collect()
}

unsafe extern "C" fn log(user: *mut c_void, level: i32, line: *const c_char, n_bytes: usize) {
    // SAFETY: `user` is `guarded` in with_options(); the line lives for the call.
    let (guarded, line) = unsafe { (&mut *user.cast::<Guarded<'_, Log<'_>>>(), lent(line.cast(), n_bytes)) };
    let level = LogLevel::of(level);
    guarded.run(|closure| closure(level, &String::from_utf8_lossy(line)));
}

/// Loading. Errors: `FileNotFound`, `Io`, `BadCheckpoint`, `BadTokenizer`, `UnsupportedModel`, `UnsupportedIsa`,
/// `OutOfMemory`, `InvalidArgument` (an option), `InvalidUtf8` (a path).
impl Guard {
    /// Loads a checkpoint folder or a packed file. The path must be UTF-8.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, GuardOptions::default())
    }

    /// The same with options.
    pub fn load_with(path: impl AsRef<Path>, options: GuardOptions<'_>) -> Result<Self> {
        let path = path_bytes(path.as_ref());
        Self::with_options(options, |options, out, err| unsafe {
            sys::q3g_guard_load(path.as_ptr().cast(), path.len(), options, out, err)
        })
    }

    /// Loads a model of the library: one of [`embedded_models`].
    pub fn embedded(name: &str) -> Result<Self> {
        Self::embedded_with(name, GuardOptions::default())
    }

    /// The same with options.
    pub fn embedded_with(name: &str, options: GuardOptions<'_>) -> Result<Self> {
        Self::with_options(options, |options, out, err| unsafe {
            sys::q3g_guard_load_embedded(name.as_ptr().cast(), name.len(), options, out, err)
        })
    }

    /// Loads a packed model's bytes: an `include_bytes!`, an `Arc<[u8]>`, a memory map. They are not copied, and are
    /// dropped when nothing uses them any more, on any thread, or when loading fails. Matrices that are not on a boundary
    /// of 64 bytes are copied all the same.
    pub fn from_memory<B>(bytes: B, options: GuardOptions<'_>) -> Result<Self>
    where
        B: AsRef<[u8]> + Send + 'static,
    {
        Self::from_files(vec![("model.q3g".to_owned(), bytes)], options)
    }

    /// Loads a checkpoint's files by name, e.g. "config.json". As [`Guard::from_memory`].
    pub fn from_files<B>(files: Vec<(String, B)>, options: GuardOptions<'_>) -> Result<Self>
    where
        B: AsRef<[u8]> + Send + 'static,
    {
        unsafe extern "C" fn release<B>(user: *mut c_void) {
            // SAFETY: from_files() made it, and the library calls this once, when nothing reads the bytes any more.
            contain(|| drop(unsafe { Box::from_raw(user.cast::<Vec<B>>()) }));
        }
        let names = files.iter().map(|(name, _)| c_string(name, "a file's name")).collect::<Result<Vec<_>>>()?;
        let owner = Box::into_raw(Box::new(files.into_iter().map(|(_, bytes)| bytes).collect::<Vec<B>>()));
        // SAFETY: only `release` touches the owner again, so that what as_ref() lends lives and stays until then.
        let all = unsafe { &*owner };
        let raw: Vec<sys::q3g_file> = names
            .iter()
            .zip(all)
            .map(|(name, bytes)| {
                let bytes = bytes.as_ref(); // asked once: another call may lend others
                sys::q3g_file { name: name.as_ptr(), bytes: bytes.as_ptr().cast(), n_bytes: bytes.len(), ..sized() }
            })
            .collect();
        Self::with_options(options, |options, out, err| unsafe {
            sys::q3g_guard_load_memory(raw.as_ptr(), raw.len(), Some(release::<B>), owner.cast(), options, out, err)
        })
    }

    fn with_options(
        options: GuardOptions<'_>,
        load: impl FnOnce(*const sys::q3g_guard_options, *mut *mut sys::q3g_guard, *mut sys::q3g_error) -> i32,
    ) -> Result<Self> {
        let mut raw = defaults(sys::q3g_guard_options_init);
        raw.n_threads = options.n_threads;
        raw.max_context_tokens = options.max_context_tokens;
        raw.kept_tokens = options.kept_tokens.unwrap_or(raw.kept_tokens);
        raw.require_tokenizer = (!options.without_tokenizer).into();
        raw.verify = options.verify as i32;
        let isa = c_string(options.isa, "options.isa")?;
        raw.isa = isa.as_ptr();
        raw.unknown_template = options.refuse_unknown_template.into();
        let known = c_string(options.known_template, "options.known_template")?;
        raw.known_template = known.as_ptr();
        let allocator = options.allocator.map(to_c);
        raw.allocator = allocator.as_ref().map_or(std::ptr::null(), |a| a as *const _);
        let Some(closure) = options.log else { return Self::make(|out, err| load(&raw, out, err)) };
        let mut guarded = Guarded::<Log<'_>>::new(closure);
        raw.log = Some(log);
        raw.log_user = guarded.user();
        let guard = Self::make(|out, err| load(&raw, out, err));
        guarded.resume();
        guard
    }
}

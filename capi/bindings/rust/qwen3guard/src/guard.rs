// SPDX-License-Identifier: Apache-2.0
use std::{
    alloc::Layout,
    ffi::{c_char, c_void, CString},
    path::Path,
    ptr::null_mut,
    sync::Arc,
};

use qwen3guard_sys as sys;

use crate::{
    callback::{with_progress, Guarded, Progress},
    error::{call, Error, Result},
    sized,
    values::{static_text, verdict_of, VerdictPlace},
    Message, ModelKind, Tokenizer, Verdict,
};

crate::handle!(
    /// A loaded model. Immutable.
    Guard,
    q3g_guard,
    q3g_guard_free
);
// "any thread" in qwen3guard.h.
unsafe impl Send for Guard {}
unsafe impl Sync for Guard {}

crate::handle!(
    /// A flag that stops running calls from another thread: they fail with `ErrorKind::Cancelled` while it is up.
    Cancel,
    q3g_cancel,
    q3g_cancel_free
);
// "any thread" in qwen3guard.h.
unsafe impl Send for Cancel {}
unsafe impl Sync for Cancel {}

impl Cancel {
    /// A new flag, down.
    pub fn new() -> Result<Self> {
        Self::make(|out, err| unsafe { sys::q3g_cancel_new(out, err) })
    }
    /// Raises the flag.
    pub fn set(&self) {
        unsafe { sys::q3g_cancel_set(self.raw.as_ptr()) };
    }
    /// Takes it down again.
    pub fn reset(&self) {
        unsafe { sys::q3g_cancel_reset(self.raw.as_ptr()) };
    }
    /// True while it is up.
    pub fn is_set(&self) -> bool {
        unsafe { sys::q3g_cancel_is_set(self.raw.as_ptr()) != 0 }
    }
}

pub(crate) fn cancel_ptr(cancel: Option<&Cancel>) -> *mut sys::q3g_cancel {
    cancel.map_or(null_mut(), |c| c.raw.as_ptr())
}

/// A path as the C interface wants it: UTF-8. (On Unix other bytes pass as they are.)
pub(crate) fn path_bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_encoded_bytes().to_vec()
}

/// How much a line of the log matters.
#[allow(missing_docs)]
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Info,
    Warning,
}

/// Memory for large blocks: keys and values, scratch matrices, copies of weights.
pub trait Allocator: Send + Sync + 'static {
    /// A block of that layout, or null.
    fn allocate(&self, layout: Layout) -> *mut u8;
    /// Takes back what `allocate` gave.
    ///
    /// # Safety
    /// `block` came from `allocate` with the same layout, and is used no more.
    unsafe fn deallocate(&self, block: *mut u8, layout: Layout);
}

/// How a model is loaded.
#[derive(Default)]
pub struct GuardOptions<'a> {
    /// Threads of one call; 0: all cores.
    pub n_threads: i32,
    /// Upper bound of a conversation; 0: the checkpoint's own.
    pub max_context_tokens: i32,
    /// Gen: tokens of the last conversations that are kept; None: the default.
    pub kept_tokens: Option<i32>,
    /// A model without tokenizer files loads, for logits only.
    pub without_tokenizer: bool,
    /// Instruction set; empty: the best there is.
    pub isa: &'a str,
    /// For large blocks; kept for the rest of the program, as the library does not tell when it is done with it.
    pub allocator: Option<&'static dyn Allocator>,
    /// Told what was loaded and how.
    pub log: Option<&'a mut Log<'a>>,
}

/// What a loaded model is.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct ModelInfo {
    pub kind: ModelKind,
    pub architecture: String,
    pub weight_dtype: String,
    pub isa: String,
    pub isa_available: Vec<String>,
    pub hidden_size: i32,
    pub n_layers: i32,
    pub n_heads: i32,
    pub n_kv_heads: i32,
    pub head_dim: i32,
    pub intermediate_size: i32,
    pub vocab_size: i32,
    pub max_context_tokens: i32,
    pub tied_embeddings: bool,
    pub n_threads: i32,
    pub n_parameters: i64,
    pub weight_bytes: i64,
    pub kv_bytes_per_token: i64,
}

/// One head's logits, row-major `[rows, cols]`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct HeadLogits {
    pub name: String,
    pub rows: usize,
    pub cols: usize,
    pub values: Vec<f32>,
}

/// How a Gen checkpoint's verdict is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decoder {
    /// Only well-formed verdicts are possible.
    #[default]
    Constrained = 0,
    /// The published way: generate, then parse.
    Greedy = 1,
}

/// What Controversial counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Unsafe.
    #[default]
    Strict = 0,
    /// Safe.
    Loose = 1,
}

/// What happens to text that is not UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InvalidUtf8 {
    /// The call fails.
    #[default]
    Reject = 0,
    /// It is judged as U+FFFD.
    Replace = 1,
}

/// How a verdict is reached. Thresholds are in [0, 1].
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct ClassifyOptions<'a> {
    pub decoder: Decoder,
    pub mode: Mode,
    pub invalid_utf8: InvalidUtf8,
    pub flag_threshold: Option<f32>,
    pub block_threshold: Option<f32>,
    pub cancel: Option<&'a Cancel>,
}

impl ClassifyOptions<'_> {
    pub(crate) fn to_c(self) -> sys::q3g_classify_options {
        let mut raw = sized();
        unsafe { sys::q3g_classify_options_init(&mut raw, std::mem::size_of_val(&raw)) };
        raw.decoder = self.decoder as i32;
        raw.mode = self.mode as i32;
        raw.invalid_utf8 = self.invalid_utf8 as i32;
        raw.flag_threshold = self.flag_threshold.unwrap_or(-1.0);
        raw.block_threshold = self.block_threshold.unwrap_or(-1.0);
        raw.cancel = cancel_ptr(self.cancel);
        raw
    }
}

/// Names of the models in the library.
pub fn embedded_models() -> Vec<&'static str> {
    (0..).map(|i| static_text(unsafe { sys::q3g_embedded_model_name(i) })).take_while(|n| !n.is_empty()).collect()
}

fn text_of_chars(chars: &[c_char]) -> String {
    let bytes: Vec<u8> = chars.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

unsafe extern "C" fn allocate(user: *mut c_void, bytes: usize, alignment: usize) -> *mut c_void {
    let allocator = unsafe { &*user.cast::<&'static dyn Allocator>() };
    let Ok(layout) = Layout::from_size_align(bytes, alignment) else { return null_mut() };
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| allocator.allocate(layout))).unwrap_or(null_mut()).cast()
}

unsafe extern "C" fn deallocate(user: *mut c_void, block: *mut c_void, bytes: usize, alignment: usize) {
    let allocator = unsafe { &*user.cast::<&'static dyn Allocator>() };
    if let Ok(layout) = Layout::from_size_align(bytes, alignment) {
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| unsafe {
            allocator.deallocate(block.cast(), layout)
        }));
    }
}

/// Called with each line.
pub type Log<'a> = dyn FnMut(LogLevel, &str) + 'a;

unsafe extern "C" fn log(user: *mut c_void, level: i32, line: *const c_char, n_bytes: usize) {
    let guarded = unsafe { &mut *user.cast::<Guarded<'_, Log<'_>>>() };
    let line = String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(line.cast(), n_bytes) });
    let level = if level == sys::Q3G_LOG_WARNING { LogLevel::Warning } else { LogLevel::Info };
    guarded.run(|closure| closure(level, &line));
}

impl Guard {
    /// Loads a checkpoint folder or a packed file.
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

    /// Loads a packed model's bytes, which are not copied and dropped when nothing uses them any more: an
    /// `include_bytes!`, an `Arc<[u8]>`, a memory map.
    pub fn from_memory<B>(bytes: B, options: GuardOptions<'_>) -> Result<Self>
    where
        B: AsRef<[u8]> + Send + Sync + 'static,
    {
        Self::from_files(vec![("model.q3g".to_owned(), bytes)], options)
    }

    /// Loads a checkpoint's files by name. As [`Guard::from_memory`].
    pub fn from_files<B>(files: Vec<(String, B)>, options: GuardOptions<'_>) -> Result<Self>
    where
        B: AsRef<[u8]> + Send + Sync + 'static,
    {
        unsafe extern "C" fn release<B>(user: *mut c_void) {
            drop(unsafe { Arc::from_raw(user.cast::<Vec<(CString, B)>>()) });
        }
        // A name with a NUL is no name of a file: the library will not find it.
        let named = files.into_iter().map(|(name, bytes)| (CString::new(name).unwrap_or_default(), bytes));
        let owner = Arc::new(named.collect::<Vec<_>>());
        let raw: Vec<sys::q3g_file> = owner
            .iter()
            .map(|(name, bytes)| sys::q3g_file {
                name: name.as_ptr(),
                bytes: bytes.as_ref().as_ptr().cast(),
                n_bytes: bytes.as_ref().len(),
                ..sized()
            })
            .collect();
        let user = Arc::into_raw(Arc::clone(&owner)).cast_mut().cast();
        Self::with_options(options, |options, out, err| unsafe {
            sys::q3g_guard_load_memory(raw.as_ptr(), raw.len(), Some(release::<B>), user, options, out, err)
        })
    }

    fn with_options(
        options: GuardOptions<'_>,
        load: impl FnOnce(*const sys::q3g_guard_options, *mut *mut sys::q3g_guard, *mut sys::q3g_error) -> i32,
    ) -> Result<Self> {
        let mut raw = sized();
        unsafe { sys::q3g_guard_options_init(&mut raw, std::mem::size_of_val(&raw)) };
        raw.n_threads = options.n_threads;
        raw.max_context_tokens = options.max_context_tokens;
        raw.kept_tokens = options.kept_tokens.unwrap_or(raw.kept_tokens);
        raw.require_tokenizer = (!options.without_tokenizer).into();
        let isa = CString::new(options.isa).unwrap_or_default();
        raw.isa = isa.as_ptr();
        let mut c_allocator: sys::q3g_allocator = sized();
        if let Some(allocator) = options.allocator {
            c_allocator.user = Box::into_raw(Box::new(allocator)).cast();
            c_allocator.allocate = Some(allocate);
            c_allocator.deallocate = Some(deallocate);
            raw.allocator = &c_allocator;
        }
        let Some(closure) = options.log else { return Self::make(|out, err| load(&raw, out, err)) };
        let mut guarded = Guarded::<Log<'_>>::new(closure);
        raw.log = Some(log);
        raw.log_user = guarded.user();
        let guard = Self::make(|out, err| load(&raw, out, err));
        guarded.resume();
        guard
    }

    /// What the model is.
    pub fn info(&self) -> Result<ModelInfo> {
        let mut raw: sys::q3g_model_info = sized();
        call(|err| unsafe { sys::q3g_guard_info(self.raw.as_ptr(), &mut raw, err) })?;
        Ok(ModelInfo {
            kind: ModelKind::of(raw.kind),
            architecture: text_of_chars(&raw.architecture),
            weight_dtype: text_of_chars(&raw.weight_dtype),
            isa: text_of_chars(&raw.isa),
            isa_available: text_of_chars(&raw.isa_available).split(' ').map(str::to_owned).collect(),
            hidden_size: raw.hidden_size,
            n_layers: raw.n_layers,
            n_heads: raw.n_heads,
            n_kv_heads: raw.n_kv_heads,
            head_dim: raw.head_dim,
            intermediate_size: raw.intermediate_size,
            vocab_size: raw.vocab_size,
            max_context_tokens: raw.max_context_tokens,
            tied_embeddings: raw.tied_embeddings != 0,
            n_threads: raw.n_threads,
            n_parameters: raw.n_parameters,
            weight_bytes: raw.weight_bytes,
            kv_bytes_per_token: raw.kv_bytes_per_token,
        })
    }

    /// The model's tokenizer. Errors: `BadTokenizer` (loaded without one).
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        Tokenizer::make(|out, err| unsafe { sys::q3g_guard_tokenizer(self.raw.as_ptr(), out, err) })
    }

    /// Raw logits of every head, of the last position only when `last_only`. Errors: `TokenRange`, `ContextFull`.
    pub fn logits(&self, ids: &[i32], last_only: bool) -> Result<Vec<HeadLogits>> {
        struct Logits(*mut sys::q3g_logits);
        impl Drop for Logits {
            fn drop(&mut self) {
                unsafe { sys::q3g_logits_free(self.0) }
            }
        }
        let mut all = Logits(null_mut());
        call(|err| unsafe {
            sys::q3g_guard_logits(self.raw.as_ptr(), ids.as_ptr(), ids.len(), last_only.into(), &mut all.0, err)
        })?;
        (0..unsafe { sys::q3g_logits_count(all.0) })
            .map(|i| {
                let mut raw: sys::q3g_head_logits = sized();
                call(|err| unsafe { sys::q3g_logits_get(all.0, i, &mut raw, err) })?;
                let (rows, cols) = (raw.rows as usize, raw.cols as usize);
                let values = unsafe { std::slice::from_raw_parts(raw.values, rows * cols) }.to_vec();
                Ok(HeadLogits { name: static_text(raw.name).to_owned(), rows, cols, values })
            })
            .collect()
    }

    /// Judges a user's prompt.
    pub fn classify_prompt(&self, prompt: impl AsRef<[u8]>) -> Result<Verdict> {
        self.classify_prompt_with(prompt, ClassifyOptions::default())
    }

    /// The same with options.
    pub fn classify_prompt_with(&self, prompt: impl AsRef<[u8]>, options: ClassifyOptions<'_>) -> Result<Verdict> {
        let (prompt, options, mut place) = (prompt.as_ref(), options.to_c(), VerdictPlace::new());
        call(|err| unsafe {
            let text = prompt.as_ptr().cast();
            sys::q3g_guard_classify_prompt(self.raw.as_ptr(), text, prompt.len(), &options, &mut place.raw, err)
        })?;
        Ok(place.verdict())
    }

    /// Judges the response to a prompt.
    pub fn classify_response(
        &self,
        prompt: impl AsRef<[u8]>,
        response: impl AsRef<[u8]>,
        options: ClassifyOptions<'_>,
    ) -> Result<Verdict> {
        let (a, b, options, mut place) = (prompt.as_ref(), response.as_ref(), options.to_c(), VerdictPlace::new());
        call(|err| unsafe {
            sys::q3g_guard_classify_response(
                self.raw.as_ptr(),
                a.as_ptr().cast(),
                a.len(),
                b.as_ptr().cast(),
                b.len(),
                &options,
                &mut place.raw,
                err,
            )
        })?;
        Ok(place.verdict())
    }

    /// Judges the last message of a conversation.
    pub fn classify(&self, messages: &[Message<'_>], options: ClassifyOptions<'_>) -> Result<Verdict> {
        let raw: Vec<_> = messages.iter().map(|m| m.to_c()).collect();
        let (options, mut place) = (options.to_c(), VerdictPlace::new());
        call(|err| unsafe {
            sys::q3g_guard_classify(self.raw.as_ptr(), raw.as_ptr(), raw.len(), &options, &mut place.raw, err)
        })?;
        Ok(place.verdict())
    }

    /// Judges several conversations together: the verdict, or the error, of each. `progress` counts conversations.
    pub fn classify_batch(
        &self,
        conversations: &[&[Message<'_>]],
        options: ClassifyOptions<'_>,
        progress: Option<&mut Progress<'_>>,
    ) -> Result<Vec<Result<Verdict>>> {
        let n = conversations.len();
        let messages: Vec<Vec<_>> = conversations.iter().map(|c| c.iter().map(|m| m.to_c()).collect()).collect();
        let raw: Vec<_> = messages
            .iter()
            .map(|m| sys::q3g_conversation { messages: m.as_ptr(), n_messages: m.len(), ..sized() })
            .collect();
        let mut texts = vec![[0u8; 512]; n];
        let mut verdicts: Vec<sys::q3g_verdict> = texts
            .iter_mut()
            .map(|t| sys::q3g_verdict { text: t.as_mut_ptr().cast(), text_capacity: t.len(), ..sized() })
            .collect();
        let mut errors: Vec<sys::q3g_error> = vec![sized(); n];
        let mut options = options.to_c();
        with_progress(progress, |function, user| {
            (options.progress, options.progress_user) = (function, user);
            call(|err| unsafe {
                sys::q3g_guard_classify_batch(
                    self.raw.as_ptr(),
                    raw.as_ptr(),
                    n,
                    &options,
                    verdicts.as_mut_ptr(),
                    errors.as_mut_ptr(),
                    err,
                )
            })
        })?;
        Ok((0..n)
            .map(|i| match verdicts[i].status {
                sys::Q3G_OK => Ok(verdict_of(&verdicts[i], &texts[i])),
                status => Err(Error::of(status, &errors[i])),
            })
            .collect())
    }
}

// SPDX-License-Identifier: Apache-2.0
//! Memory of the program's own behind the C interface's three functions.
use std::{alloc::Layout, ffi::c_void, ptr::null_mut, sync::Arc};

use qwen3guard_sys as sys;

use crate::{c::sized, callback::contain};

/// Memory for large blocks: keys and values, scratch matrices, copies of weights. Called from any thread.
///
/// # Safety
/// What [`allocate`](Self::allocate) returns is null, or a block of at least the layout's size on its alignment, which
/// nothing else uses until it is given to [`deallocate`](Self::deallocate).
pub unsafe trait Allocator: Send + Sync + 'static {
    /// A block of that layout, whose size is never 0; or null, which makes the call that needs it fail with
    /// [`ErrorKind::OutOfMemory`](crate::ErrorKind::OutOfMemory). A panic counts as null.
    fn allocate(&self, layout: Layout) -> *mut u8;

    /// Takes back what `allocate` gave. A panic is contained.
    ///
    /// # Safety
    /// `block` came from `allocate` of the same allocator with the same layout, and is used no more.
    unsafe fn deallocate(&self, block: *mut u8, layout: Layout);
}

type Shared = Arc<dyn Allocator>;

/// The C struct. The library has a share of the allocator, which it gives back through `release`, once.
pub(crate) fn to_c(allocator: Shared) -> sys::q3g_allocator {
    sys::q3g_allocator {
        user: Box::into_raw(Box::new(allocator)).cast(),
        allocate: Some(allocate),
        deallocate: Some(deallocate),
        release: Some(release),
        ..sized()
    }
}

/// Nobody's allocator has to think of blocks without bytes.
fn layout_of(bytes: usize, alignment: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.max(1), alignment).ok()
}

unsafe extern "C" fn allocate(user: *mut c_void, bytes: usize, alignment: usize) -> *mut c_void {
    // SAFETY: to_c() made it, and it lives until release().
    let allocator = unsafe { &*user.cast::<Shared>() };
    let Some(layout) = layout_of(bytes, alignment) else { return null_mut() };
    contain(|| allocator.allocate(layout)).unwrap_or(null_mut()).cast()
}

unsafe extern "C" fn deallocate(user: *mut c_void, block: *mut c_void, bytes: usize, alignment: usize) {
    // SAFETY: as in allocate(); the library gives each block back once, with the sizes it asked for.
    let allocator = unsafe { &*user.cast::<Shared>() };
    if let Some(layout) = layout_of(bytes, alignment) {
        contain(|| unsafe { allocator.deallocate(block.cast(), layout) });
    }
}

unsafe extern "C" fn release(user: *mut c_void) {
    // SAFETY: to_c() made it, and the library calls this once, last of all.
    contain(|| drop(unsafe { Box::from_raw(user.cast::<Shared>()) }));
}

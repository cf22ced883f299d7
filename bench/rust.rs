//! The Rust contenders: libkref's two faces, and std's.

use std::arch::asm;
use std::mem::{ManuallyDrop, offset_of};
use std::ptr::NonNull;
use std::sync::Arc;

use kref::{Kref, Ref, Refcounted};

use crate::contender::Contender;

/// Has the cache line to itself, and the one that the prefetcher brings along.
#[repr(align(128))]
struct Object {
    kref: Kref,
}

// SAFETY: the kref is where OFFSET says, it is private, and no object is ever freed.
unsafe impl Refcounted for Object {
    const OFFSET: usize = offset_of!(Self, kref);

    unsafe fn release(_: NonNull<Self>) {
        std::process::abort();
    }
}

/// An object with one reference, for good.
fn held() -> *const Object {
    Box::leak(Box::new(Object { kref: Kref::new() }))
}

/// Where the compiler has to forget what it knows, as in loops.c.
#[inline(always)]
fn forget<T>(mut pointer: *const T) -> *const T {
    // SAFETY: the register comes out as it went in.
    unsafe { asm!("/* {0} */", inout(reg) pointer, options(nostack, preserves_flags)) };
    pointer
}

/// The loop of loops.c. `put` gives back the reference that `get` returns.
fn get_put<T>(
    name: &'static str,
    object: *const T,
    get: impl Fn(*const T) -> *const T + Sync + 'static,
    put: impl Fn(*const T) + Sync + 'static,
) -> Contender {
    let address = object.expose_provenance();
    Contender::new(name, move |n| {
        let mut object = std::ptr::with_exposed_provenance(address);
        for _ in 0..n {
            object = forget(object);
            object = forget(get(object));
            put(object);
        }
    })
}

/// The raw part, as C uses it.
pub fn kref(name: &'static str) -> Contender {
    let get = |kref: *const Kref| {
        // SAFETY: held for good.
        unsafe { &*kref }.get();
        kref
    };
    let put = |kref: *const Kref| {
        // SAFETY: not null, and the reference that `get` took.
        unsafe { Kref::put(NonNull::new_unchecked(kref.cast_mut()), |_| std::process::abort()) };
    };
    get_put(name, held().cast::<Kref>(), get, put)
}

/// The safe part: a clone and its drop.
pub fn reference(name: &'static str) -> Contender {
    // SAFETY: not null; the caller has a reference to give up.
    let from_raw =
        |object: *const Object| unsafe { Ref::from_raw(NonNull::new_unchecked(object.cast_mut())) };
    let get = move |object| {
        // Not dropped, since it is held for good.
        let held = ManuallyDrop::new(from_raw(object));
        Ref::clone(&held).into_raw().as_ptr().cast_const()
    };
    get_put(name, held(), get, move |object| drop(from_raw(object)))
}

/// std's: a clone and its drop.
pub fn arc(name: &'static str) -> Contender {
    // SAFETY: made by `into_raw`; the caller has a reference to give up.
    let from_raw = |object: *const Object| unsafe { Arc::from_raw(object) };
    let get = move |object| {
        // Not dropped, since it is held for good.
        let held = ManuallyDrop::new(from_raw(object));
        Arc::into_raw(Arc::clone(&held))
    };
    let held = Arc::into_raw(Arc::new(Object { kref: Kref::new() }));
    get_put(name, held, get, move |object| drop(from_raw(object)))
}

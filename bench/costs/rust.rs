//! The Rust contenders: libkref's `Kref` and `Ref`, and std's `Arc`.

use std::arch::asm;
use std::mem::{ManuallyDrop, offset_of};
use std::ptr::NonNull;
use std::sync::Arc;

use kref::{Kref, Ref, Refcounted};
use kref_bench::Contender;

/// An object that shares its cache line with nothing, as ALONE in loops.h.
#[repr(align(128))]
struct Object {
    kref: Kref,
}

// SAFETY: the kref is at OFFSET, the field is private, and no object is ever freed.
unsafe impl Refcounted for Object {
    const OFFSET: usize = offset_of!(Self, kref);

    unsafe fn release(_: NonNull<Self>) {
        std::process::abort();
    }
}

/// An object whose first reference is never put.
fn held() -> *const Object {
    Box::leak(Box::new(Object { kref: Kref::new() }))
}

/// FORGET of loops.h: the compiler forgets the pointer's value and the contents of memory.
#[inline(always)]
fn forget<T>(mut pointer: *const T) -> *const T {
    // SAFETY: the assembly is empty, so the register keeps its value.
    unsafe { asm!("/* {0} */", inout(reg) pointer, options(nostack, preserves_flags)) };
    pointer
}

/// The loop get_put of loops.c. `put` gives back the reference that `get` returns.
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

/// A get and a put of a `Kref`, as C does them.
pub fn kref(name: &'static str) -> Contender {
    let get = |kref: *const Kref| {
        // SAFETY: the object is never freed.
        unsafe { &*kref }.get();
        kref
    };
    let put = |kref: *const Kref| {
        // SAFETY: the pointer is not null, and the reference is the one that `get` took.
        unsafe { Kref::put(NonNull::new_unchecked(kref.cast_mut()), |_| std::process::abort()) };
    };
    get_put(name, held().cast::<Kref>(), get, put)
}

/// A clone and a drop of a `Ref`.
pub fn reference(name: &'static str) -> Contender {
    // SAFETY: the pointer is not null; the caller has a reference to give up.
    let from_raw =
        |object: *const Object| unsafe { Ref::from_raw(NonNull::new_unchecked(object.cast_mut())) };
    let get = move |object| {
        // Not dropped: the object keeps its first reference.
        let held = ManuallyDrop::new(from_raw(object));
        Ref::clone(&held).into_raw().as_ptr().cast_const()
    };
    get_put(name, held(), get, move |object| drop(from_raw(object)))
}

/// A clone and a drop of an `Arc`.
pub fn arc(name: &'static str) -> Contender {
    // SAFETY: the pointer came from `into_raw`; the caller has a reference to give up.
    let from_raw = |object: *const Object| unsafe { Arc::from_raw(object) };
    let get = move |object| {
        // Not dropped: the object keeps its first reference.
        let held = ManuallyDrop::new(from_raw(object));
        Arc::into_raw(Arc::clone(&held))
    };
    let held = Arc::into_raw(Arc::new(Object { kref: Kref::new() }));
    get_put(name, held, get, move |object| drop(from_raw(object)))
}

//! Identifies the module that contains an address: the program or a shared library. The address alone does not
//! identify a place, because after dlclose() another library may be loaded there.

use core::ffi::{c_char, c_int, c_void};
use core::mem::{MaybeUninit, transmute};

use crate::sys::weak::weak;

/// glibc's `struct dl_find_object`. i686 and arm have up to 8 bytes more than others, so there is one more
/// reserved word than glibc has.
#[repr(C)]
struct Found {
    _flags: u64,
    _start: *const c_void,
    _end: *const c_void,
    map: *const LinkMap,
    _eh_frame: *const c_void,
    _reserved: [u64; 8],
}

/// The beginning of the loader's `struct link_map`.
#[repr(C)]
struct LinkMap {
    _address: usize,
    path: *const c_char,
}

/// The prime number of the FNV-1a hash.
const FNV_PRIME: usize = 0x0100_0193;

/// A hash of the module's path. 0 if the loader does not find the module.
///
/// glibc 2.35 and later have this function, which takes no lock and is safe in a signal handler.
pub(super) fn number(address: usize) -> usize {
    let find = weak!("_dl_find_object");
    if find.is_null() {
        return 0;
    }
    let mut found = MaybeUninit::<Found>::uninit();
    // SAFETY: the function of this name has this type, fills in `found` if it returns 0, and names a
    // loaded module. The module has called libkref and waits for the return, so it stays loaded, and its
    // path stays valid.
    unsafe {
        let find = transmute::<*const (), unsafe extern "C" fn(usize, *mut Found) -> c_int>(find);
        if find(address, found.as_mut_ptr()) != 0 {
            return 0;
        }
        let mut at = (*found.assume_init_ref().map).path;
        let mut number = 0_usize;
        while *at != 0 {
            number = (number ^ *at as usize).wrapping_mul(FNV_PRIME);
            at = at.add(1);
        }
        number
    }
}

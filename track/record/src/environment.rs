//! kref-track preloads this library into its program alone. The programs that this one starts may have a sanitizer, or
//! another processor's code, which a preloaded library would end. So the library takes itself out of the environment.

use core::ffi::{CStr, c_char};

/// kref-track sets it if the programs that its program starts are to have nothing preloaded.
const MARK: &[u8] = b"KREF_TRACK_PRELOADED=";
const PRELOAD: &[u8] = b"LD_PRELOAD=";

/// Removes the mark, and the first library of LD_PRELOAD, which is this one.
///
/// # Safety
/// An environment: C strings that may be written to, and a null pointer behind the last. Nobody else uses it.
pub unsafe fn leave(environment: *mut *mut c_char) {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(mark) = find(environment, MARK) else { return };
        remove(mark);
        let Some(preload) = find(environment, PRELOAD) else { return };
        let value = (*preload).add(PRELOAD.len());
        let value_bytes = CStr::from_ptr(value).to_bytes();
        match value_bytes.iter().position(|&byte| byte == b':') {
            Some(colon) => {
                let rest = value_bytes.len() - colon; // with the zero, and without the colon
                core::ptr::copy(value.add(colon + 1), value, rest);
            }
            None => remove(preload),
        }
    }
}

/// The place of the pointer to a variable.
///
/// # Safety
/// As for `leave`.
unsafe fn find(environment: *mut *mut c_char, name: &[u8]) -> Option<*mut *mut c_char> {
    let mut place = environment;
    // SAFETY: the null pointer ends it.
    unsafe {
        while !place.is_null() && !(*place).is_null() {
            if CStr::from_ptr(*place).to_bytes().starts_with(name) {
                return Some(place);
            }
            place = place.add(1);
        }
    }
    None
}

/// Moves the pointers behind this one up.
///
/// # Safety
/// As for `leave`.
unsafe fn remove(mut place: *mut *mut c_char) {
    // SAFETY: the null pointer ends it.
    unsafe {
        while !(*place).is_null() {
            *place = *place.add(1);
            place = place.add(1);
        }
    }
}

//! The environment.

use core::ffi::{CStr, c_char};

/// The value of an environment variable. `None` if the variable is not set, and in a setuid program:
/// the user who starts it must not control what it does.
pub(crate) fn variable(name: &CStr) -> Option<&'static CStr> {
    unsafe extern "C" {
        fn secure_getenv(name: *const c_char) -> *const c_char;
    }
    // SAFETY: `name` is a C string.
    let value = unsafe { secure_getenv(name.as_ptr()) };
    // SAFETY: the value is null or a C string. Nobody changes it meanwhile, because the library reads the
    // environment at load, before the program runs.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
}

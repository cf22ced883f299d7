//! The environment.

use core::ffi::{CStr, c_char};

/// The value of an environment variable. `None` in a setuid program too: its user must not decide
/// what the program does.
pub(crate) fn variable(name: &CStr) -> Option<&'static CStr> {
    unsafe extern "C" {
        fn secure_getenv(name: *const c_char) -> *const c_char;
    }
    // SAFETY: `name` is a C string.
    let value = unsafe { secure_getenv(name.as_ptr()) };
    // SAFETY: the value is null or a C string. The library reads the environment at load, before the
    // program can change it.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
}

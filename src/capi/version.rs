//! The version of the library.

use core::ffi::c_char;

/// The version of the library that is loaded. KREF_VERSION is the version of the header that a program was
/// compiled with. The two may differ in the last number. A program that was compiled with another
/// minor version does not load: until 1.0, the library's soname and the version of its symbols contain the
/// minor number.
///
/// Returns:  a string such as "0.2.0", which is valid as long as the library is loaded.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn kref_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

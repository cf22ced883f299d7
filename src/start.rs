//! The constructor. It runs when libkref.so is loaded, or when a program that contains libkref.a starts.

use crate::options;

/// The loader calls each function of this section.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_LOAD: extern "C" fn() = at_load;

extern "C" fn at_load() {
    if cfg!(miri) {
        return; // Miri calls this function, but has no secure_getenv
    }
    let _tracker = options::at_load();
    // A model loads nothing.
    #[cfg(not(loom))]
    if let Some(options) = _tracker {
        crate::load::track(options);
    }
}

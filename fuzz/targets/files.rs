//! Programs and libraries, as the judge reads them: the program headers, the build-id, the table of functions, the
//! symbols and the debug information. The names that are found can be shown.
#![no_main]

mod memory;

use std::os::fd::AsRawFd;
use std::path::Path;

use judge::fuzzing::names;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((at, file)) = data.split_first_chunk() else { return };
    let address = u64::from(u16::from_le_bytes(*at));
    let file = memory::file(file);
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let addresses = [address, address + 1, address + 64, address << 8, 0, u64::MAX];
    for (name, into) in names(Path::new(&path), &addresses) {
        assert!(!name.contains(|c: char| c.is_control()), "{name:?}");
        assert!(into <= addresses.into_iter().max().unwrap_or(0));
    }
});

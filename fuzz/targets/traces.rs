//! Traces, as `kref-track report` reads them: any records. Whatever a trace says, the report is text that a terminal
//! can show, or lines of JSON.
#![no_main]

mod memory;

use std::os::fd::AsRawFd;
use std::path::Path;

use judge::fuzzing::{Options, reports};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, records)) = data.split_first() else { return };
    let is_json = choice & 1 != 0;
    let mut text = String::from(if is_json { "format=json:summary=1" } else { "summary=1" });
    if choice & 2 != 0 {
        text += ":object=1:stale_handles=1:filter=*s*";
    }
    let options = Options::parse(&text).expect("options");
    // The words before the records: the mark, the version, and a time.
    let head: Vec<u8> = [*b"kref-trc", 1_u64.to_le_bytes(), [0xff; 8]].concat();
    let file = memory::file(&[&head, records].concat());
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let text = reports(Path::new(&path), &options).expect("the head is right");
    for line in text.lines() {
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
        if is_json {
            let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert!(value.is_object(), "{line}");
        }
    }
});

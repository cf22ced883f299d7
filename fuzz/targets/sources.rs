//! The judge reads the lines of a source file around a get or a put. The file may have any text in it: it need not be C. The
//! target checks that a comment at the end of each line does not change what the judge finds.
#![no_main]

use judge::fuzzing::told;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    // The first line: the number of the line, and the function that it calls.
    let (head, source) = text.split_once('\n').unwrap_or_default();
    let (number, callee) = head.split_once(' ').unwrap_or((head, ""));
    let line = number.parse().unwrap_or(0);
    let callee = Some(callee).filter(|callee| !callee.is_empty());
    let lines: Vec<_> = source.lines().map(str::to_string).collect();
    let commented: Vec<_> = lines.iter().map(|line| format!("{line} // ; x = get(y)")).collect();
    for is_get in [true, false] {
        let places = told(&lines, line, callee, is_get);
        assert_eq!(places, told(&commented, line, callee, is_get), "{text}");
    }
});

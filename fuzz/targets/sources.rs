//! Sources, as the judge reads the lines around a get or a put: any text, which need not be C. A comment at the end of each
//! line changes nothing.
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
    // An edge of a function is a brace that begins a line. All else may be behind a comment.
    let commented: Vec<_> = lines.iter().map(|line| format!("{line} // ; x = get(y)")).collect();
    for is_get in [true, false] {
        let places = told(&lines, line, callee, is_get);
        assert_eq!(places, told(&commented, line, callee, is_get), "{text}");
    }
});

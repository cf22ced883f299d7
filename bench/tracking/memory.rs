//! What tracking takes of memory, in the program and in the judge.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use kref_c_tests::Prefix;

/// The goals: bytes of an object and of a reference in the judge, and of the recorder in the program.
const OBJECT: f64 = 60.0;
const REFERENCE: f64 = 24.0;
const PROGRAM: f64 = (4 << 20) as f64;
const OBJECTS: u64 = 1_000_000;
/// References of each object, taken at one place in the code; and so many, each at a place of its own.
const HOLDERS: u64 = 2001;
const PLACES: u64 = 17;

/// The table.
pub fn table(program: &Path) -> String {
    let alone = held(Command::new(program), [1000, 1, 1]).0;
    let tracked = |sizes| {
        let mut command = Command::new(Prefix::plain().kref_track());
        command.arg("--log-path=/dev/null").arg(program);
        held(command, sizes)
    };
    let (few, many) = (tracked([1000, 1, 1]), tracked([OBJECTS, 1, 1]));
    let (alike, apart) = (tracked([1000, HOLDERS, 1]), tracked([OBJECTS, PLACES, PLACES]));
    let object = (many.1 - few.1) / (OBJECTS - 1000) as f64;
    let of_one_place = (alike.1 - few.1) / (1000 * (HOLDERS - 1)) as f64;
    let of_its_own = (apart.1 - many.1) / (OBJECTS * (PLACES - 1)) as f64;
    let mut text = format!("{:37}{:>12}\n", "memory", "bytes");
    for (name, bytes, most) in [
        ("in the program, beside the rings", few.0 - alone, PROGRAM),
        ("in the judge, an object", object, OBJECT),
        ("in the judge, a reference held", of_one_place, REFERENCE),
        ("the same, from a place of its own", of_its_own, REFERENCE),
    ] {
        let verdict = if bytes <= most { "within" } else { "ABOVE" };
        let _ = writeln!(text, "{name:37}{bytes:12.1}  {verdict} {most}");
    }
    text
}

/// The bytes of the program and of its judge.
fn held(mut command: Command, sizes: [u64; 3]) -> (f64, f64) {
    command.arg("hold").args(sizes.map(|size| size.to_string()));
    let output = command.output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = said.split_whitespace().map(|word| word.parse().expect("bytes"));
    (numbers.next().expect("two numbers"), numbers.next().expect("two numbers"))
}

//! The four styles of counting that docs/porting.md ports, each before and after. Both print the same, kref-track finds
//! nothing in the second one, and it is shorter.

use std::process::{Command, ExitCode};

use kref_c_tests::kref_track::{compile, kref_track};
use kref_c_tests::{Compiler, c_tests, plain, run};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let trials = vec![
        plain("returns", || ported("returns")),
        plain("immortal", || ported("immortal")),
        plain("locked", || ported("locked")),
        plain("generic", || ported("generic")),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn ported(style: &str) {
    let source = |name: &str| format!("ports/{style}/{name}");
    let length = |name: &str| {
        let path = c_tests().join(source(name)).with_extension("c");
        std::fs::read_to_string(path).expect("a program").lines().count()
    };
    assert!(length("after") < length("before"));

    let build = |name: &str| compile(Compiler::any(), &source(name), &["-O1"]);
    let before = run(&mut Command::new(build("before")));
    let after = run(kref_track(&["--exitcode", "99"]).arg(build("after")));
    assert!(before.success && before.output.contains(" freed\n"), "{before:?}");
    assert!(after.success && after.output == before.output, "{after:?}, before: {before:?}");
}

//! liburcu's contenders: peers/urcu.c for each flavour, where Debian's liburcu-dev is installed.

use std::os::unix::process::CommandExt;
use std::process::Command;

use kref_c_tests::run;

use crate::c::Loops;
use crate::contender::Contender;

/// A way to tell when nobody reads any more.
struct Flavour {
    name: &'static str,
    header: &'static str,
    /// pkg-config's name, and the library's.
    package: &'static str,
}

const FLAVOURS: [Flavour; 3] = [
    Flavour { name: "urcu-memb + get_unless_zero", header: "urcu.h", package: "liburcu" },
    Flavour { name: "urcu-qsbr + get_unless_zero", header: "urcu-qsbr.h", package: "liburcu-qsbr" },
    Flavour { name: "urcu-bp + get_unless_zero", header: "urcu-bp.h", package: "liburcu-bp" },
];

const PRELOAD: &str = "LD_PRELOAD";

/// Starts this program anew with liburcu in it from the start: then what a thread has for itself is a
/// register and an offset away, as in a program that is linked with it. Called before all else.
pub fn preload() {
    let preloaded = std::env::var(PRELOAD).unwrap_or_default();
    if preloaded.contains("liburcu") {
        // Not for the compilers. SAFETY: no other thread is here yet.
        unsafe { std::env::remove_var(PRELOAD) };
        return;
    }
    let is_here = |flavour: &&Flavour| flavour.flags().is_some();
    let file = |flavour: &Flavour| format!("{}.so", flavour.package);
    let libraries: Vec<_> = FLAVOURS.iter().filter(is_here).map(file).collect();
    if libraries.is_empty() {
        return;
    }
    let program = std::env::current_exe().expect("a program knows where it is");
    let mut again = Command::new(program);
    again.args(std::env::args_os().skip(1)).env(PRELOAD, libraries.join(" "));
    panic!("it does not start again: {}", again.exec());
}

/// Those that are here, and the packages of those that are not.
pub fn contenders() -> (Vec<Contender>, Vec<&'static str>) {
    let (mut contenders, mut without) = (vec![], vec![]);
    for flavour in FLAVOURS {
        match flavour.flags() {
            Some(flags) => {
                let loops = Loops::peer("peers/urcu.c", flavour.package, &flags);
                contenders.push(loops.contender_that_registers(flavour.name, "lookup"));
            }
            None => without.push(flavour.package),
        }
    }
    (contenders, without)
}

impl Flavour {
    fn flags(&self) -> Option<Vec<String>> {
        let found = run(Command::new("pkg-config").args(["--cflags", "--libs", self.package]));
        let mut flags: Vec<_> = found.output.split_whitespace().map(str::to_string).collect();
        flags.extend(["-ftls-model=initial-exec".into(), format!("-DHEADER=<{}>", self.header)]);
        found.success.then_some(flags)
    }
}

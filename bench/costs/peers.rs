//! Contenders that not every machine has: GLib's, and liburcu's for each of its flavours.

use std::cell::Cell;
use std::process::Command;

use kref_bench::{Contender, Loops};
use kref_c_tests::run;

use crate::rows::{GLIB, URCU};

/// liburcu's flavours: pkg-config's name, and the header.
const FLAVOURS: [(&str, &str); 3] =
    [("liburcu", "urcu.h"), ("liburcu-qsbr", "urcu-qsbr.h"), ("liburcu-bp", "urcu-bp.h")];

/// Those that are installed, and the packages of those that are not.
pub fn found() -> (Vec<Contender>, Vec<&'static str>) {
    let (mut contenders, mut missing) = (vec![], vec![]);
    let mut add = |package, compile: &dyn Fn(&[&str]) -> Contender| match flags(package) {
        Some(flags) => {
            let flags: Vec<_> = flags.iter().map(String::as_str).collect();
            contenders.push(compile(&flags));
        }
        None => missing.push(package),
    };
    add("glib-2.0", &|flags| {
        Loops::compile("bench/costs/peers/glib.c", "glib", flags).contender(GLIB, "get_put")
    });
    for ((package, header), name) in FLAVOURS.into_iter().zip(URCU) {
        add(package, &|flags| urcu(package, header, name, flags));
    }
    (contenders, missing)
}

fn urcu(package: &str, header: &str, name: &str, flags: &[&str]) -> Contender {
    let header = format!("-DHEADER=<{header}>");
    let flags = [flags, &["-ftls-model=initial-exec", &header]].concat();
    let loops = Loops::compile("bench/costs/peers/urcu.c", package, &flags);
    let (enter, leave) = (loops.plain("enter"), loops.plain("leave"));
    loops.contender(name, "lookup").between(enter, leave)
}

/// The flags that pkg-config prints for a package.
fn flags(package: &str) -> Option<Vec<String>> {
    let found = run(Command::new("pkg-config").args(["--cflags", "--libs", package]));
    found.success.then(|| found.output.split_whitespace().map(str::to_string).collect())
}

/// Lets liburcu be loaded later with its threads' data in the static TLS block, a register and an
/// offset away, as in a program that is linked with liburcu. The loader puts data there only if the
/// block's alignment is at least liburcu's, and the block has the alignment of this variable.
pub fn align_static_tls() {
    #[repr(align(128))]
    struct Aligned(Cell<u8>);
    thread_local! {
        static ALIGNED: Aligned = const { Aligned(Cell::new(0)) };
    }
    ALIGNED.with(|aligned| std::hint::black_box(&aligned.0).set(1));
}

//! Contenders that not every machine has: GLib's, and liburcu's for each of its flavours.

use kref_bench::{Contender, Loops, package_flags};

use crate::rows::{GLIB, URCU};

/// liburcu's flavours: pkg-config's name, and the header.
const FLAVOURS: [(&str, &str); 3] =
    [("liburcu", "urcu.h"), ("liburcu-qsbr", "urcu-qsbr.h"), ("liburcu-bp", "urcu-bp.h")];

/// Those that are installed, and the packages of those that are not.
pub fn found() -> (Vec<Contender>, Vec<&'static str>) {
    let (mut contenders, mut missing) = (vec![], vec![]);
    let mut add = |package, compile: &dyn Fn(&[&str]) -> Contender| match package_flags(package) {
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

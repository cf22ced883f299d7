//! A program whose names would harm a terminal or a browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use kref_c_tests::{Compiler, Library, build, printed};

/// The name of a function that a terminal would take for a command, and that ends no element of a drawing.
const TAKE: &str = "e\x1b]0;pwned\x07 \"quote\\ ; 7 <b onload='x'>&amp;]]>";
const RELEASE: &str = "</title><script>alert(1)</script>";

/// Builds the program with hostile names in its symbol table, with a hostile name itself.
pub fn program(folder: &Path) -> PathBuf {
    let compiler = Compiler::any();
    let object = folder.join("names.o");
    build(compiler, "tracker/attacks/hostile-names", &["-c", "-O1"], Library::Shared, &object)
        .expect("it compiles");
    let names = [("hostile_take", TAKE), ("hostile_release", RELEASE)];
    // Each also where it is called.
    let main = folder.join("file.o");
    let flags = ["-c", "-g", "-O1"];
    build(compiler, "tracker/attacks/hostile-file", &flags, Library::Shared, &main)
        .expect("it compiles");
    for file in [&object, &main] {
        let mut objcopy = Command::new("objcopy");
        for (name, hostile) in names {
            objcopy.arg(format!("--redefine-sym={name}={hostile}"));
        }
        printed(objcopy.arg(file));
    }
    let program = folder.join("h\x1b[5mostile<script>");
    let [object, main] = [object, main].map(|path| path.to_string_lossy().into_owned());
    // An empty program, linked with these.
    build(compiler, "tracker/attacks/nothing", &[&object, &main], Library::Shared, &program)
        .expect("it links");
    program
}

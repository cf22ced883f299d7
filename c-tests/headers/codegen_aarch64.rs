//! The instructions of the hot paths on 64-bit Arm, which a cross compiler compiles here. Nothing runs.

use std::process::Command;

use kref_c_tests::{run, unless_missing};
use libtest_mimic::Trial;

use crate::{compile, hot_path};

const GCC: &str = "aarch64-linux-gnu-gcc";
/// The headers of Debian's package libc6-dev-arm64-cross.
const HEADERS: &str = "/usr/aarch64-linux-gnu/include";

pub fn trials() -> Vec<Trial> {
    ["gcc", "clang"]
        .map(|name| {
            Trial::ignorable_test(format!("aarch64::{name}"), move || {
                unless_missing(need(), |()| {
                    atomics(name);
                    sequences(name);
                    if name == "gcc" {
                        outline_atomics();
                    }
                    Ok(())
                })
            })
        })
        .into()
}

fn need() -> Result<(), String> {
    let found = run(Command::new(GCC).arg("--version")).success;
    if found { Ok(()) } else { Err(format!("no {GCC} on this machine")) }
}

/// The compiler, and the flags for a processor with LSE.
fn assembly(name: &str, level: &str) -> String {
    let mut compiler = Command::new(GCC);
    if name == "clang" {
        compiler =
            kref_c_tests::Compiler::need(kref_c_tests::Kind::Clang).expect("clang").command();
        compiler.args(["--target=aarch64-linux-gnu", "-isystem", HEADERS]);
    }
    compile(compiler, "codegen.c", &format!("aarch64-{name}{level}"), &[level, "-march=armv8.1-a"])
}

/// With LSE an operation on a count is one atomic instruction and the tests of its result.
fn atomics(name: &str) {
    let get = ["mov", "ldadd", "cmn", "bge"];
    let put = ["bls", "cmp", "ldaddl", "mov", "mov"];
    for level in ["-O2", "-O3"] {
        let assembly = assembly(name, level);
        for function in ["test_get", "test_get_as", "test_inc"] {
            assert_eq!(
                hot_path(&assembly, function, instruction),
                get,
                "{function} in:\n{assembly}"
            );
        }
        for function in ["test_put", "test_put_as", "test_dec_and_test"] {
            let mut path = hot_path(&assembly, function, instruction);
            path.sort(); // the compilers load the constants in different orders
            assert_eq!(path, put, "{function} in:\n{assembly}");
        }
        let init = ["adrp", "ldr", "ldr", "cbnz", "mov", "str"];
        assert_eq!(hot_path(&assembly, "test_init", instruction), init, "{assembly}");
    }
}

/// The area of the thread, and the descriptor.
const ENTER: [&str; 5] = ["mrs", "add", "adrp", "add", "str"];
/// The counter's address, from the CPU's number.
const COUNTER: [&str; 2] = ["ldr", "add"];

fn sequences(name: &str) {
    let change = |operation, store| {
        let enter = [&["ldr", "cbz"], &ENTER[..], &["ldr", "add", "ldar", "cmp", "bhs"]].concat();
        [&enter[..], &COUNTER, &["ldr", operation, store, "str"]].concat()
    };
    let read: &[&str] = if name == "gcc" { &["add", "ldr", "cbz"] } else { &["ldr", "cbz"] };
    // clang makes a register of the flags.
    let end: &[&str] = if name == "gcc" { &["bhs"] } else { &["cset", "cbnz"] };
    let registered = ["ldr", "cmp", "bhs"];
    let published = ["ldr", "cbz", "add", "ldar", "cmp", "bhs"];
    let add = ["ldr", "add", "str", "str"];
    let take = [read, &ENTER, &registered, &published, &COUNTER, &add, end].concat();
    let assembly = assembly(name, "-O2");
    for (function, expected) in [
        ("test_percpu_get", change("add", "str")),
        ("test_percpu_tryget", change("add", "str")),
        ("test_percpu_put", change("sub", "stlr")),
        ("test_percpu_slot_get", take),
    ] {
        assert_eq!(
            hot_path(&assembly, function, instruction),
            expected,
            "{function} in:\n{assembly}"
        );
    }
}

/// Without a flag for the processor, gcc calls a function of libgcc, which asks whether there is LSE.
fn outline_atomics() {
    let assembly = compile(Command::new(GCC), "codegen.c", "aarch64-outline", &["-O2"]);
    assert_eq!(hot_path(&assembly, "test_get", instruction), ["bl", "cmn", "bge"], "{assembly}");
    assert!(assembly.contains("bl\t__aarch64_ldadd4_relax"), "{assembly}");
    assert!(assembly.contains("bl\t__aarch64_ldadd4_rel\n"), "{assembly}");
}

/// The mnemonic, with one name for each condition. `None` for what is no part of the operation: the frame,
/// a copy of a register, and the result.
fn instruction(line: &str) -> Option<String> {
    let line = line.trim_start_matches(|byte: char| byte.is_ascii_digit() || byte == ':').trim();
    let (mnemonic, operands) = line.split_once(char::is_whitespace)?;
    let operands = operands.replace(' ', "\t");
    let mut operands = operands.split([',', '\t']).map(str::trim).filter(|word| !word.is_empty());
    let (first, second) = (operands.next()?, operands.next().unwrap_or_default());
    let is_frame = line.contains("sp") || first == "x19" && mnemonic == "mov";
    let is_result = first == "w0" && ["", "0", "1"].contains(&second);
    let is_copy = mnemonic == "mov" && (is_result || second.starts_with(['x', 'w']));
    if is_frame || is_copy || mnemonic.starts_with('.') {
        return None;
    }
    let name = mnemonic.replace("b.", "b");
    Some(if name == "bcs" { "bhs".into() } else { name })
}

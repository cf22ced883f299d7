//! The instructions of a get and a put of a live count. They are the ones of the table in
//! src/count/mod.rs: a tracker, a holder's name and all checks cost nothing more. codegen_aarch64.rs has those
//! of 64-bit Arm, and codegen_cpp.rs those of kref.hpp.

#[path = "codegen_aarch64.rs"]
mod aarch64;
#[path = "codegen_cpp.rs"]
mod cpp;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use kref_c_tests::{Compiler, Prefix, per_compiler, plain, printed, project, run, scratch};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut trials = Vec::new();
    if cfg!(target_arch = "x86_64") {
        trials.extend(per_compiler("inlined", Compiler::need, inlined));
        trials.push(plain("exported_get", exported_get));
        trials.push(plain("exported_put", exported_put));
    }
    trials.extend(aarch64::trials());
    trials.extend(cpp::trials());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The hot paths of codegen.c, at every level of optimisation.
fn inlined(compiler: Compiler) {
    let get = ["lock inc", "jge"];
    let put = ["lock sub", "jns", "jb"];
    let get_unless_zero = ["mov", "cmp", "jge", "lea", "lock cmpxchg", "jne"];
    let init = ["mov", "mov", "testq", "jne", "mov"];
    let may_be_null = |path: &[&'static str]| [&["testq", "je"], path].concat();
    let (typed_ref, typed_unref) = (may_be_null(&get), may_be_null(&put));
    let expected: [(&str, &[&str]); 12] = [
        ("test_typed_init", &init),
        ("test_ref", &typed_ref),
        ("test_unref", &typed_unref),
        ("test_init", &init),
        ("test_get", &get),
        ("test_get_as", &get),
        ("test_put", &put),
        ("test_put_as", &put),
        ("test_get_unless_zero", &get_unless_zero),
        ("test_inc", &get),
        ("test_dec_and_test", &put),
        ("test_inc_not_zero", &get_unless_zero),
    ];
    for level in ["-O1", "-O2", "-O3", "-Os"] {
        let assembly = assembly(compiler, level);
        if level != "-Os" {
            lookups_by_handle(&assembly, level);
        }
        for (function, expected) in expected {
            // gcc turns the loop round for the size's sake, as it does that of a lookup by handle.
            if level == "-Os" && function.contains("zero") {
                continue;
            }
            let mut found = hot_path(&assembly, function, instruction);
            // At these levels gcc makes the kernel's bool of an int that it has just set.
            if ["-O1", "-Os"].contains(&level) && found.ends_with(&INT_TO_BOOL.map(String::from)) {
                found.truncate(found.len() - INT_TO_BOOL.len());
            }
            assert_eq!(found, expected, "{function} at {level} in:\n{assembly}");
        }
    }
}

/// A lookup by handle has one locked instruction and no call. Each compiler orders the others as it likes.
fn lookups_by_handle(assembly: &str, level: &str) {
    for function in ["test_pool_get", "test_by_handle"] {
        let path = hot_path(assembly, function, instruction);
        let count = |begin| path.iter().filter(|found| found.starts_with(begin)).count();
        let counts = (count("lock"), count("lock cmpxchg"), count("call"));
        assert_eq!(counts, (1, 1, 0), "{function} at {level}: {path:?} in:\n{assembly}");
        assert!(path.len() <= 36, "{function} at {level}: {path:?}");
    }
}

const INT_TO_BOOL: [&str; 3] = ["testl", "setne", "movzbl"];

fn assembly(compiler: Compiler, level: &str) -> String {
    let name = format!("{}{level}", compiler.kind().name());
    compile(compiler.command(), "codegen.c", &name, &[level])
}

/// The assembly of codegen.c or codegen.cpp.
fn compile(mut compile: Command, source: &str, name: &str, flags: &[&str]) -> String {
    let folder = scratch().join("codegen");
    std::fs::create_dir_all(&folder).unwrap();
    let output: PathBuf = folder.join(name).with_extension("s");
    compile.args(["-S", "-fno-asynchronous-unwind-tables"]).args(flags);
    let include = project().join("include");
    compile.arg("-I").arg(include.join("kref")).arg("-I").arg(include);
    compile.arg(project().join("c-tests/headers").join(source));
    let compiled = run(compile.arg("-o").arg(&output));
    assert!(compiled.success, "{}", compiled.output);
    std::fs::read_to_string(output).unwrap()
}

/// The instructions that a live count passes, from the function's first one to its return: no conditional
/// jump is taken. Without the return, its value, and what saves a register for the cold path.
fn hot_path(
    assembly: &str,
    function: &str,
    instruction: fn(&str) -> Option<String>,
) -> Vec<String> {
    let comments = |line| {
        ["#", "//"].iter().fold(line, |line: &'_ str, mark| line.split(mark).next().unwrap())
    };
    let lines: Vec<&str> = assembly.lines().map(|line| comments(line).trim()).collect();
    let at = |label: &str| {
        let line = format!("{label}:");
        1 + lines.iter().position(|&text| text == line).expect("a label")
    };
    let (mut next, mut path) = (at(function), Vec::new());
    loop {
        let line = lines[next];
        next += 1;
        if line == ".subsection 1" || line == ".text\t1" {
            next += lines[next..]
                .iter()
                .position(|line| *line == ".previous" || *line == ".text")
                .expect("the end of the subsection");
        } else if let Some(label) = line.strip_prefix("jmp") {
            next = at(label.trim());
        } else if line.starts_with("ret") {
            return path;
        } else if !line.is_empty() && !line.ends_with(':') && !line.starts_with('.') {
            path.extend(instruction(line));
        }
    }
}

/// The mnemonic without its size. `None` for what is no part of the operation.
fn instruction(line: &str) -> Option<String> {
    let (mnemonic, operands) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let is_frame = mnemonic.starts_with("push")
        || mnemonic.starts_with("pop")
        || operands.ends_with("%rsp")
        || (mnemonic == "movq" && operands.starts_with("%r"));
    let is_zero_or_one = mnemonic == "xorl" || mnemonic == "movl" && operands.starts_with('$');
    let is_result = operands.ends_with("%eax") && is_zero_or_one;
    if is_frame || is_result {
        return None;
    }
    let mut words = line.split_whitespace();
    let first = words.next()?;
    let name = if first == "lock" { words.next()? } else { first };
    let known = ["inc", "sub", "cmpxchg", "cmp", "lea", "mov"];
    let name = known.iter().find(|known| name.trim_end_matches(['l', 'q']) == **known);
    let name = name.copied().unwrap_or(first);
    let name = if name == "jc" { "jb" } else { name };
    Some(if first == "lock" { format!("lock {name}") } else { name.to_string() })
}

/// A function of libkref.so, instruction by instruction.
fn disassembled(function: &str) -> Vec<String> {
    let library = Prefix::plain().lib().join("libkref.so");
    let mut objdump = Command::new("objdump");
    objdump.args(["-d", "-M", "intel", "--no-show-raw-insn"]).arg(&library);
    let text = printed(&mut objdump);
    let lines = text.lines().skip_while(|line| !line.ends_with(&format!("<{function}>:"))).skip(1);
    let code = lines.map_while(|line| line.split_once(":\t")).map(|(_, code)| code.trim());
    let code: Vec<String> = code.map(|code| code.split(" <").next().unwrap().to_string()).collect();
    assert!(!code.is_empty(), "no {function}");
    code
}

/// The mnemonics up to the first return.
fn until_return(function: &str) -> Vec<String> {
    let code = disassembled(function);
    let hot = code.iter().take_while(|line| !line.starts_with("ret"));
    hot.map(|line| line.split_whitespace().next().unwrap().to_string()).collect()
}

/// Rust's get has the same two instructions. The stub before it costs four.
fn exported_get() {
    assert_eq!(until_return("at_kref_get"), ["lock", "jge"], "{:#?}", disassembled("at_kref_get"));
    let stub = disassembled("kref_get");
    let mnemonics: Vec<_> =
        stub.iter().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(mnemonics, ["endbr64", "mov", "mov", "jmp"], "{stub:#?}");
}

/// Rust has no conditional jumps out of assembly, so its put makes a byte of the flags. It needs no stack.
fn exported_put() {
    for function in ["at_kref_put", "at_kref_put_as"] {
        let hot: Vec<_> = disassembled(function);
        let hot = hot.iter().take_while(|line| !line.starts_with("ret"));
        let hot: Vec<_> = hot.collect();
        assert!(hot.iter().any(|line| line.starts_with("lock sub")), "{hot:#?}");
        let touches = |line: &str| ["push", "call", "rsp"].iter().any(|word| line.contains(word));
        assert!(!hot.iter().any(|line| touches(line)), "{function} uses the stack: {hot:#?}");
    }
}

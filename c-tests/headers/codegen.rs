//! Compares the instructions of kref.h's inline functions with those of twins that are written by
//! hand.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use kref_c_tests::{Compiler, Prefix, c_tests, per_compiler, plain, project, run, scratch};
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut trials = per_compiler("inlined", Compiler::need, inline_functions_equal_their_twins);
    trials.extend(per_compiler(
        "a_holder_costs_nothing",
        Compiler::need,
        a_holder_costs_nothing_for_a_live_count,
    ));
    trials.push(plain("the_exported_functions_are_short", the_exported_functions_are_short));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

const OPTIMISED: [&str; 3] = ["-O1", "-O2", "-Os"];
const FUNCTIONS: [&str; 6] = ["get", "get_as", "get_unless_zero", "put", "put_as", "loop"];

/// The assembly of codegen.c.
fn assembly(compiler: Compiler, optimise: &str) -> String {
    let folder = scratch().join("codegen");
    std::fs::create_dir_all(&folder).unwrap();
    let output: PathBuf = folder.join(format!("{}{optimise}.s", compiler.kind().name()));
    let mut compile = compiler.command();
    compile.args(["-S", optimise, "-fno-asynchronous-unwind-tables"]);
    compile.arg("-I").arg(project().join("include")).arg(c_tests().join("headers/codegen.c"));
    let compiled = run(compile.arg("-o").arg(&output));
    assert!(compiled.success, "{}", compiled.output);
    std::fs::read_to_string(output).unwrap()
}

/// A function's instructions and labels. Labels are numbered in the order of appearance, and `twin`
/// is replaced by `kref`, so that equal functions have equal text.
fn instructions(assembly: &str, function: &str) -> Vec<String> {
    let (begin, end) = (format!("{function}:"), format!(".size\t{function},"));
    let mut labels = HashMap::new();
    let lines = assembly.lines().map(|line| line.split('#').next().unwrap().trim());
    let body = lines.skip_while(|line| *line != begin).take_while(|line| !line.starts_with(&end));
    let code = body.skip(1).filter(|line| {
        let is_directive = line.starts_with('.') && !line.ends_with(':');
        !line.is_empty() && !is_directive
    });
    let found: Vec<String> = code
        .map(|line| {
            let line = line.replace("twin", "kref");
            let words =
                line.split_inclusive(|byte: char| byte.is_whitespace() || ",:(".contains(byte));
            words.map(|word| renamed(word, &mut labels)).collect()
        })
        .collect();
    assert!(found.len() > 3, "no {function} in:\n{assembly}");
    found
}

/// The word, with a local label replaced by its number.
fn renamed(word: &str, labels: &mut HashMap<String, usize>) -> String {
    let name = word.trim_end_matches(|byte: char| !byte.is_alphanumeric());
    if !name.trim_start_matches('$').starts_with(".L") {
        return word.to_string();
    }
    let (next, rest) = (labels.len(), &word[name.len()..]);
    format!(".L{}{rest}", labels.entry(name.to_string()).or_insert(next))
}

fn inline_functions_equal_their_twins(compiler: Compiler) {
    for optimise in OPTIMISED {
        let assembly = assembly(compiler, optimise);
        for function in FUNCTIONS {
            let ours = instructions(&assembly, &format!("test_kref_{function}"));
            let twins = instructions(&assembly, &format!("test_twin_{function}"));
            assert_eq!(ours, twins, "{function} at {optimise}");
        }
    }
}

/// kref_get_as() has the same instructions as kref_get() up to the return for a live count. The
/// registers may differ.
fn a_holder_costs_nothing_for_a_live_count(compiler: Compiler) {
    let hot = |assembly: &str, function: &str| -> Vec<String> {
        let all = instructions(assembly, &format!("test_kref_{function}"));
        let end = all.iter().position(|line| line.starts_with("ret")).expect("a return");
        let mnemonics = all[..=end].iter().filter(|line| !line.ends_with(':'));
        mnemonics.map(|line| line.split_whitespace().next().unwrap().to_string()).collect()
    };
    let assembly = assembly(compiler, "-O2");
    for (named, unnamed) in [("get_as", "get"), ("put_as", "put")] {
        assert_eq!(hot(&assembly, named), hot(&assembly, unnamed), "{named}");
    }
}

/// A live count leaves at the first return. Up to there the instructions are few, and use no stack.
fn the_exported_functions_are_short() {
    if cfg!(not(target_arch = "x86_64")) {
        return;
    }
    let library = Prefix::plain().lib().join("libkref.so");
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(&library)).output;
    for (function, most) in
        [("kref_get", 6), ("kref_put", 6), ("kref_get_as", 6), ("kref_put_as", 6)]
    {
        let line = symbols.lines().find(|line| line.ends_with(&format!(" T {function}")));
        let address = line.expect(function).split_whitespace().next().unwrap();
        let mut objdump = Command::new("objdump");
        objdump.args(["-d", "--no-show-raw-insn", &format!("--start-address=0x{address}")]);
        let text = run(objdump.arg(&library)).output;
        let code =
            text.lines().filter_map(|line| line.split_once(":\t")).map(|(_, code)| code.trim());
        let hot: Vec<_> = code.take_while(|line| !line.starts_with("ret")).collect();
        assert!(hot.len() < most, "{function} returns after {hot:#?}");
        let touches = |line: &str| ["push", "call", "%rsp"].iter().any(|word| line.contains(word));
        assert!(!hot.iter().any(|line| touches(line)), "{function} has a stack: {hot:#?}");
    }
}

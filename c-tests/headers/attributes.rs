//! Checks that the compiler warns about a NULL argument where none is allowed, and about a result
//! that must not be ignored. The functions are read from the headers, so a new function is checked
//! without a change here. Each way to compile the headers is a test.

use std::process::ExitCode;

use kref_c_tests::declarations::{Function, PUBLIC, SLOW, functions, name, without_directives};
use kref_c_tests::{Compiler, Kind, per_compiler, project, run, scratch};
use libtest_mimic::{Arguments, Trial};

/// Functions whose result a program may ignore: a value to print; whether a put has released the object; the number of
/// objects in a violation; what the tracker reports in any case; and functions that only the inline functions call.
const IGNORABLE: [&str; 23] = [
    "kref_read",
    "kref_put",
    "kref_put_many",
    "kref_put_mutex",
    "kref_put_lock",
    "kref_put_as",
    "kref_track_report",
    "kref_track_checkpoint",
    "kref_balance_end",
    "kref_rseq_available",
    "kref_count_read",
    "kref_pool_count",
    "kref_pool_destroy",
    "refcount_read",
    "percpu_ref_is_dying",
    "percpu_ref_is_zero",
    "kref_put_slow",
    "kref_get_unless_zero_slow",
    "percpu_ref_slot_get_slow",
    "kref_read_slow",
    "kref_is_tracked",
    "percpu_ref_tryget_slow",
    "percpu_ref_tryget_live_slow",
];

type Way = (&'static str, fn(Compiler));

fn main() -> ExitCode {
    let ways: [Way; 8] = [
        ("kref_h::inline", |compiler| kref_h(compiler, &[])),
        ("kref_h::outofline", |compiler| kref_h(compiler, &[OUT_OF_LINE])),
        ("kref_h::tsan::inline", |compiler| kref_h(compiler, &[TSAN])),
        ("kref_h::tsan::outofline", |compiler| kref_h(compiler, &[TSAN, OUT_OF_LINE])),
        ("refcount_h::inline", |compiler| refcount_h(compiler, &[])),
        ("refcount_h::outofline", |compiler| refcount_h(compiler, &[OUT_OF_LINE])),
        ("refcount_h::tsan::inline", |compiler| refcount_h(compiler, &[TSAN])),
        ("refcount_h::tsan::outofline", |compiler| refcount_h(compiler, &[TSAN, OUT_OF_LINE])),
    ];
    let trials = |(name, test): Way| per_compiler(name, Compiler::need, test);
    let trials: Vec<Trial> = ways.into_iter().flat_map(trials).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

const OUT_OF_LINE: &str = "-DKREF_NO_INLINE";
const TSAN: &str = "-fsanitize=thread";

fn kref_h(compiler: Compiler, flags: &[&str]) {
    let headers = [&PUBLIC[..], &[SLOW]].concat();
    every_function(compiler, flags, "kref.h", &headers, 67);
}

fn refcount_h(compiler: Compiler, flags: &[&str]) {
    every_function(compiler, flags, "linux/refcount.h", &["kref/linux/refcount.h"], 26);
    every_function(compiler, flags, "linux/refcount.h", &["kref/linux/kref_locks.h"], 3);
}

/// Writes each call on a line of its own, and looks for the warnings about that line.
fn every_function(compiler: Compiler, flags: &[&str], header: &str, paths: &[&str], least: usize) {
    let read = |path| std::fs::read_to_string(project().join("include").join(path)).unwrap();
    let text: String = paths.iter().map(|path| without_directives(&read(path))).collect();
    let functions = functions(&text);
    assert!(functions.len() >= least, "{} functions found, too few", functions.len());
    let calls: Vec<Call> = functions.iter().flat_map(Calls::calls).collect();

    let mut source = format!("#include <{header}>\n");
    for (number, call) in calls.iter().enumerate() {
        source +=
            &format!("void f{number}{0}; void f{number}{0} {{ {1}; }}\n", call.given, call.code);
    }
    let said = compile(compiler, flags, header, &source);
    let mut wrong = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        let place = format!("calls.c:{}:", number + 2);
        let mut warnings =
            said.lines().filter(|line| line.contains(&place) && line.contains("[-W"));
        let right = match call.warning {
            Some(warning) => warnings.any(|line| line.contains(warning)),
            None => warnings.next().is_none(),
        };
        if !right {
            wrong.push(format!("{}: {}", call.code, call.warning.unwrap_or("no warning")));
        }
    }
    assert!(wrong.is_empty(), "{flags:?}: a wrong warning, or none:\n{}", wrong.join("\n"));
}

fn compile(compiler: Compiler, flags: &[&str], header: &str, source: &str) -> String {
    let name = format!("{}{}-{header}", compiler.kind().name(), flags.concat());
    let folder = scratch().join("attributes").join(name.replace('/', "-"));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("calls.c");
    std::fs::write(&file, source).unwrap();
    let mut compile = compiler.command();
    if compiler.kind() == Kind::Gcc {
        // The warning names the line of the call, not the line of the macro.
        compile.arg("-ftrack-macro-expansion=0");
    }
    compile.args(["-std=gnu11", "-Wall", "-Wno-unused-parameter"]).args(flags);
    let include = project().join("include");
    compile.arg("-I").arg(&include).arg("-I").arg(include.join("kref"));
    let compiled = run(compile.args(["-c", "-o", "/dev/null"]).arg(&file));
    assert!(compiled.success, "{}", compiled.output);
    compiled.output
}

/// A call, the parameters of the function around it, and the warning that the compiler must print.
struct Call {
    given: String,
    code: String,
    warning: Option<&'static str>,
}

/// The calls of one function.
trait Calls {
    fn calls(&self) -> Vec<Call>;
    fn call(&self, look: &str, arguments: &[&str], warning: Option<&'static str>) -> Call;
}

impl Calls for Function<'_> {
    /// One call for each pointer, with NULL for that pointer, and one call that ignores the result.
    fn calls(&self) -> Vec<Call> {
        let names: Vec<&str> = self.parameters.iter().map(|parameter| name(parameter)).collect();
        let mut calls = Vec::new();
        let nullable = nullable(self.comment);
        for (number, parameter) in self.parameters.iter().enumerate() {
            if !parameter.contains('*') && !parameter.contains("_handler ") {
                continue;
            }
            // A void * belongs to the program, and may be NULL.
            let any = parameter.starts_with("void *") && !parameter.contains('(');
            let mut arguments = names.clone();
            arguments[number] = "0";
            let may = any || nullable.contains(&names[number]);
            let look = if self.returns_nothing() { "" } else { "(void)!" };
            calls.push(self.call(look, &arguments, (!may).then_some("[-Wnonnull]")));
        }
        if !self.returns_nothing() {
            let may = IGNORABLE.contains(&self.name);
            calls.push(self.call("", &names, (!may).then_some("[-Wunused-result]")));
        }
        calls
    }

    fn call(&self, look: &str, arguments: &[&str], warning: Option<&'static str>) -> Call {
        let given = format!("({})", self.parameter_list());
        Call { given, code: format!("{look}{}({})", self.name, arguments.join(", ")), warning }
    }
}

/// The words before "may be NULL", as in "attr and arg may be NULL".
fn nullable(comment: &str) -> Vec<&str> {
    let parts: Vec<&str> = comment.split("may be NULL").collect();
    let clauses = parts[..parts.len() - 1].iter();
    clauses
        .flat_map(|part| part.rsplit([';', '.', ':']).next().unwrap().split_whitespace())
        .collect()
}

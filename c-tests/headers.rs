//! The headers: made from src/capi, readable by a C programmer, and clean in every dialect.

use std::path::{Path, PathBuf};
use std::process::Command;

use kref_c_tests::{Compiler, Kind, Prefix, Sanitizer, missing, project, run, scratch};

const HEADERS: [&str; 5] =
    ["kref.h", "kref/inline.h", "kref/tsan.h", "linux/kref.h", "linux/refcount.h"];
const DIALECTS: [&str; 4] = ["c99", "c11", "gnu89", "c++17"];
const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// The compilers of this machine; says which are missing.
fn compilers() -> Vec<Compiler> {
    let found = |kind: Kind| {
        let compiler = Compiler::find(kind);
        if compiler.is_none() {
            eprintln!("skipped: {}", missing(&format!("no {}", kind.name())).unwrap());
        }
        compiler
    };
    Kind::ALL.into_iter().filter_map(found).collect()
}

fn folder(name: &str) -> PathBuf {
    let folder = scratch().join("headers").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn include() -> PathBuf {
    project().join("include")
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path.as_ref()).unwrap()
}

#[test]
fn kref_h_is_what_src_capi_makes() {
    let made = folder("made").join("kref.h");
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(project()).args(["build", "--locked", "-p", "kref", "--features", "header"]);
    cargo.arg("--target-dir").arg(folder("cargo")).env("KREF_HEADER", &made);
    let built = run(&mut cargo);
    assert!(built.success, "cbindgen failed:\n{}", built.output);
    assert!(
        read(&made) == read(include().join("kref.h")),
        "include/kref.h is not what src/capi makes. To mend it: make header"
    );
}

#[test]
fn kref_h_speaks_c() {
    let header = read(include().join("kref.h"));
    for foreign in ["::", "```", "[`", "# Safety", "Option<", "*mut ", "*const ", "unsafe", "&self"] {
        assert!(!header.contains(foreign), "kref.h says {foreign:?}, which is not C");
    }
    assert!(
        read(include().join("kref/inline.h")).lines().count() <= 150,
        "inline.h is to be short"
    );
}

#[test]
fn every_header_compiles_alone_and_twice_in_every_dialect() {
    let uses = [
        &[][..],
        &["-DKREF_NO_INLINE"],
        &["-fsanitize=thread"],
        &["-fsanitize=thread", "-DKREF_NO_INLINE"],
    ];
    let source = folder("dialects").join("include.c");
    for compiler in compilers() {
        for header in HEADERS {
            // inline.h and tsan.h are kref.h's own, and come with it.
            let first = if header.starts_with("kref/") { "kref.h" } else { header };
            let text = format!("#include <{first}>\n#include <{header}>\nint nothing;\n");
            std::fs::write(&source, text).unwrap();
            for dialect in DIALECTS {
                for use_ in uses {
                    let language = if dialect.starts_with("c++") { "c++" } else { "c" };
                    let mut compile = compiler.command();
                    compile.args(WARNINGS).args(["-x", language, &format!("-std={dialect}")]);
                    compile.args(use_).arg("-I").arg(include()).arg("-I");
                    compile.arg(include().join("kref")).arg("-fsyntax-only").arg(&source);
                    let compiled = run(&mut compile);
                    assert!(
                        compiled.success,
                        "{compiler:?} {header} {dialect} {use_:?}:\n{}",
                        compiled.output
                    );
                }
            }
        }
    }
}

/// Compiles and runs `source` against the installed tree.
fn runs(compiler: Compiler, source: &Path, flags: &[&str]) -> kref_c_tests::Finished {
    let program = source.with_extension(compiler.kind().name());
    let mut compile = compiler.command();
    compile.args(flags).arg(source).args(WARNINGS).arg("-o").arg(&program);
    compile.args(Prefix::plain().flags(&["--cflags", "--libs", "kref"]));
    let compiled = run(&mut compile);
    assert!(compiled.success, "{compiler:?} {}:\n{}", source.display(), compiled.output);
    run(Command::new(program).env("LD_LIBRARY_PATH", Prefix::plain().lib()))
}

#[test]
fn the_example_on_the_first_page_compiles_and_runs() {
    let header = read(include().join("kref.h"));
    let page = header.split("*/").next().unwrap().split("An example, whole:").nth(1).unwrap();
    let lines = page.lines().filter_map(|line| line.strip_prefix(" *     "));
    let example: String = lines.map(|line| format!("{line}\n")).collect();
    assert!(example.starts_with("#include <kref.h>") && example.contains("int main"), "{example}");
    let source = folder("example").join("example.c");
    std::fs::write(&source, example).unwrap();
    for compiler in compilers() {
        let ended = runs(compiler, &source, &["-std=c99"]);
        assert!(ended.success && ended.output == "job 7\n", "{ended:?}");
    }
}

#[test]
fn c_plus_plus_uses_it_inline_and_out_of_line() {
    let source = folder("cpp").join("use.cpp");
    let text = r#"
        #include <kref.h>
        #include <linux/kref.h>
        struct object { int before; struct kref kref; };
        static int released;
        static void release(struct kref *kref) { released++; delete kref_entry(kref, object, kref); }
        static struct kref_slot slot = KREF_SLOT_INIT;
        static struct kref fixed = KREF_INIT(2);
        int main() {
            object *o = new object();
            kref_init(&o->kref);
            kref_get(&o->kref);
            void (*get)(struct kref *) = kref_get; /* the exported one */
            get(&o->kref);
            if (kref_slot_replace(&slot, &o->kref)) return 1;
            struct kref *found = kref_slot_get(&slot);
            if (kref_entry(found, object, kref) != o || kref_read(found) != 4) return 2;
            if (!kref_get_unless_zero(found) || kref_read(&fixed) != 2) return 3;
            for (int i = 0; i < 4; i++) if (kref_put(&o->kref, release)) return 4;
            return kref_put(&o->kref, release) && released == 1 ? 0 : 5;
        }
    "#;
    std::fs::write(&source, text).unwrap();
    let kernel = include().join("kref").display().to_string();
    for compiler in compilers() {
        for inline in ["-UKREF_NO_INLINE", "-DKREF_NO_INLINE"] {
            // A C++ library is not needed for new and delete of a plain struct but for their names.
            let flags = ["-std=c++17", "-O1", inline, "-I", &kernel, "-lstdc++"];
            let source = source.clone();
            let mut compile = compiler.command();
            let program = source.with_extension(compiler.kind().name());
            compile.args(["-x", "c++"]).arg(&source).args(WARNINGS).args(flags);
            compile.args(Prefix::plain().flags(&["--cflags", "--libs", "kref"]));
            let compiled = run(compile.arg("-o").arg(&program));
            assert!(compiled.success, "{compiler:?} {inline}:\n{}", compiled.output);
            let ended = run(Command::new(program).env("LD_LIBRARY_PATH", Prefix::plain().lib()));
            assert!(ended.success, "{compiler:?} {inline}: {ended:?}");
        }
    }
}

/// Each ordering of inline.h that is more than relaxed, weakened: ThreadSanitizer must say so.
#[test]
fn every_ordering_of_inline_h_is_needed() {
    let inline = read(include().join("kref/inline.h"));
    let program = project().join("c-tests/run-handoff-thread.c");
    for compiler in compilers() {
        if !compiler.has(Sanitizer::Thread) {
            eprintln!("skipped: {}", missing("no ThreadSanitizer").unwrap());
            continue;
        }
        for (ordering, races) in
            [("__ATOMIC_SEQ_CST", false), ("__ATOMIC_RELEASE", true), ("__ATOMIC_ACQUIRE", true)]
        {
            let include = folder(&format!("weak{ordering}"));
            std::fs::create_dir_all(include.join("kref")).unwrap();
            for header in ["kref.h", "kref/tsan.h"] {
                std::fs::copy(self::include().join(header), include.join(header)).unwrap();
            }
            let found = inline.matches(ordering).count();
            assert_eq!(found, races.into(), "inline.h has {ordering} {found} times");
            let weakened = inline.replace(ordering, "__ATOMIC_RELAXED");
            std::fs::write(include.join("kref/inline.h"), weakened).unwrap();

            let built = include.join(compiler.kind().name());
            let mut compile = compiler.command();
            compile.args(Sanitizer::Thread.flags()).arg("-I").arg(&include).arg(&program);
            compile.arg(Prefix::plain().archive()).arg("-pthread").arg("-o").arg(&built);
            let compiled = run(&mut compile);
            assert!(compiled.success, "{}", compiled.output);
            let ended = run(Command::new(built).env("TSAN_OPTIONS", "halt_on_error=1"));
            let told = ended.output.contains("ThreadSanitizer: data race");
            assert_eq!(told, races, "{compiler:?}, {ordering} weakened:\n{}", ended.output);
        }
    }
}

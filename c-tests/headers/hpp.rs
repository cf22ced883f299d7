//! kref.hpp, in every dialect and with every warning of the compilers.

use kref_c_tests::{Compiler, c_tests, run};

use super::warnings::{dialects, every_warning};
use super::{WARNINGS, build_and_run, folder, include, read};

pub fn the_example_on_its_first_page(compiler: Compiler) {
    let header = read(include().join("kref.hpp"));
    let page = header.split("*/").next().unwrap();
    let example = page.lines().skip_while(|line| !line.contains("#include")).map_while(|line| {
        let text = line.strip_prefix(" *     ");
        text.or_else(|| (line == " *").then_some(""))
    });
    let example: String = example.map(|line| format!("{line}\n")).collect();
    assert!(example.starts_with("#include <kref.hpp>") && example.contains("main()"), "{example}");
    let source = folder("example-cpp").join("example.cpp");
    std::fs::write(&source, example).unwrap();
    let ended = build_and_run(compiler, &source, &["-std=c++11"]);
    assert!(ended.success && ended.output == "session 5: served\nsession 5: freed\n", "{ended:?}");
}

/// The programs of c-tests/cpp are built as C++11. Here they are compiled in every dialect, without exceptions and
/// without the types of objects; and the comparisons run in the newest dialect, which has the operator `<=>`.
pub fn its_programs_in_every_dialect(compiler: Compiler) {
    let programs = ["ref", "types", "class", "thread", "containers"]
        .map(|name| c_tests().join(format!("cpp/run-{name}.cpp")));
    let check = format!("-I{}", c_tests().join("harness").display());
    let all = dialects(compiler, "c++");
    for dialect in &all {
        for program in &programs {
            let mut compile = compiler.command();
            compile.args(WARNINGS).args([dialect, "-fno-exceptions", "-fno-rtti"]);
            compile.arg(&check).arg("-I").arg(include()).arg("-fsyntax-only").arg(program);
            let compiled = run(&mut compile);
            assert!(compiled.success, "{dialect}:\n{}", compiled.output);
        }
    }
    let copy = folder("dialects-hpp").join("containers.cpp");
    std::fs::copy(&programs[programs.len() - 1], &copy).unwrap();
    let ended = build_and_run(compiler, &copy, &[all[all.len() - 1], &check]);
    assert!(ended.success, "{ended:?}");
}

pub fn every_warning_of_it(compiler: Compiler) {
    let unwanted = [
        "-Wredundant-tags",
        "-Wtemplates",
        "-Wnamespaces",
        "-Waggregate-return", // a ref is a class
        "-Weffc++",           // kref_init_as() initialises the count
        "-Wc++98-compat",
        "-Wpre-c++20-compat", // the operator `<=>`
    ];
    every_warning(compiler, "c++", "cpp/uses.cpp", &unwanted);
}

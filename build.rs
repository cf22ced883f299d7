//! With the feature `header`: writes the headers of include/ that src/capi describes. Always: sets `kref_sanitized` for a
//! build under a sanitizer, which sees no operation in assembly. (rustc tells build scripts which
//! sanitizer it uses; a stable crate cannot ask for it in a `cfg`.) Sets `kref_assembly` if this rustc has
//! assembly for the processor; a test sets `kref_no_assembly`, to be without. And sets `kref_sequences` to the file of src/rseq that has the restartable
//! sequences.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if has("SANITIZE") {
        println!("cargo:rustc-cfg=kref_sanitized");
    }
    if has_assembly() && !["LOOM", "MIRI", "KREF_NO_ASSEMBLY"].into_iter().any(has) {
        println!("cargo:rustc-cfg=kref_assembly");
    }
    println!("cargo:rustc-cfg=kref_sequences=\"{}\"", sequences());
    #[cfg(feature = "header")]
    header::write();
}

/// Whether rustc sets `name` for the code that it compiles.
fn has(name: &str) -> bool {
    std::env::var_os(format!("CARGO_CFG_{name}")).is_some()
}

/// What rustc sets for `name`, such as the processor of `TARGET_ARCH`.
fn value(name: &str) -> String {
    std::env::var(format!("CARGO_CFG_{name}")).unwrap_or_default()
}

/// Whether assembly for the processor is stable in this rustc.
fn has_assembly() -> bool {
    match &*value("TARGET_ARCH") {
        "x86" | "x86_64" | "arm" | "aarch64" | "riscv32" | "riscv64" | "loongarch64" | "s390x" => {
            true
        }
        "powerpc" | "powerpc64" => rustc_version().is_none_or(|minor| minor >= 95),
        _ => false,
    }
}

/// 85 for rustc 1.85.
fn rustc_version() -> Option<u32> {
    let rustc = std::env::var_os("RUSTC").expect("set by cargo");
    let printed = std::process::Command::new(rustc).arg("--version").output().ok()?;
    String::from_utf8(printed.stdout).ok()?.split('.').nth(1)?.parse().ok()
}

fn sequences() -> &'static str {
    let is = |name: &str, expected: &str| value(name) == expected;
    if has("LOOM") {
        return "simulated";
    }
    if has("MIRI") || !is("TARGET_OS", "linux") {
        return "nowhere";
    }
    match (&*value("TARGET_ARCH"), &*value("TARGET_POINTER_WIDTH"), &*value("TARGET_ENV")) {
        ("aarch64", "64", "gnu") => "aarch64",
        ("riscv64", _, "gnu") => "riscv64",
        ("x86_64", "64", "gnu" | "musl") => "x86_64",
        _ => "nowhere",
    }
}

#[cfg(feature = "header")]
mod header {
    use std::{env, fs, path::Path};

    /// The headers below include/ that have a template in src/capi/headers.
    const HEADERS: [&str; 7] = [
        "kref.h",
        "kref/slot.h",
        "kref/percpu.h",
        "kref/pool.h",
        "kref/track.h",
        "kref/count.h",
        "kref/slow.h",
    ];

    pub fn write() {
        println!("cargo:rerun-if-changed=src/capi");
        println!("cargo:rerun-if-changed=cbindgen.toml");
        println!("cargo:rerun-if-env-changed=KREF_INCLUDE");
        let include = env::var("KREF_INCLUDE").unwrap_or_else(|_| "include".into());
        fs::create_dir_all(Path::new(&include).join("kref")).expect("KREF_INCLUDE");
        let types = declarations("types");
        for header in HEADERS {
            let path = Path::new(&include).join(header);
            println!("cargo:rerun-if-changed={}", path.display());
            fs::write(&path, filled_in(header, &types)).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        }
    }

    /// Copies the template. A line `@NAME@` becomes the declarations of src/capi/NAME.rs, and
    /// `@types NAME NAME@` the declarations of these types.
    fn filled_in(header: &str, types: &str) -> String {
        let name = Path::new(header).file_name().expect("a file");
        let template = Path::new("src/capi/headers").join(name).with_extension("h.in");
        let template =
            fs::read_to_string(&template).unwrap_or_else(|e| panic!("{template:?}: {e}"));
        let mut text = String::new();
        for line in template.lines() {
            let section = line.strip_prefix('@').and_then(|rest| rest.strip_suffix('@'));
            match section.map(|section| (section, section.strip_prefix("types "))) {
                Some((_, Some(names))) => text += &named(types, names),
                Some((section, None)) => text += &declarations(section),
                None => text += &(with_version(line) + "\n"),
            }
        }
        text
    }

    /// Those of the declarations that define a type of these names. cbindgen puts an empty line between two
    /// declarations.
    fn named(types: &str, names: &str) -> String {
        let defines = |block: &&str, name: &str| {
            [
                format!("struct {name} {{"),
                format!("enum {name} {{"),
                format!("typedef void (*{name})("),
                format!("#define {name} "),
            ]
            .iter()
            .any(|definition| block.contains(&format!("\n{definition}")))
        };
        let block = |name| {
            let mut found = types.trim().split("\n\n").filter(|block| defines(block, name));
            found.next().unwrap_or_else(|| panic!("src/capi/types.rs has no {name}"))
        };
        names.split(' ').map(block).collect::<Vec<_>>().join("\n\n") + "\n"
    }

    /// What cbindgen makes of one file. Every file may use the types; `types` declares them.
    fn declarations(section: &str) -> String {
        let types = Path::new("src/capi/types.rs");
        let mut config = cbindgen::Config::from_file("cbindgen.toml").expect("cbindgen.toml");
        let mut builder = cbindgen::Builder::new().with_src(types);
        if section != "types" {
            config.export.item_types = vec![cbindgen::ItemType::Functions];
            builder = builder.with_src(as_c_sees_it(section));
        }
        let mut text = Vec::new();
        builder.with_config(config).generate().expect(section).write(&mut text);
        tidy(&String::from_utf8(text).expect("UTF-8"))
    }

    /// A copy of src/capi/SECTION.rs in which `at_kref_put(.., call: CallSite)` is `kref_put(..)`: the stub
    /// of src/capi/edge.rs has this name and these parameters.
    fn as_c_sees_it(section: &str) -> std::path::PathBuf {
        let name = Path::new(section).with_extension("rs");
        let source = Path::new("src/capi").join(&name);
        let mut text = fs::read_to_string(&source).unwrap_or_else(|_| panic!("{source:?}"));
        for (rust, c) in
            [("fn at_", "fn "), (", call: CallSite)", ")"), ("    call: CallSite,\n", "")]
        {
            text = text.replace(rust, c);
        }
        let copy = Path::new(&env::var_os("OUT_DIR").expect("set by cargo")).join(name);
        fs::write(&copy, text).expect("OUT_DIR can be written");
        copy
    }

    /// Changes that cbindgen has no option for: a comment of one line on one line, attributes behind the
    /// last parameter, and no comma after an enum's last member, which C90 does not know.
    fn tidy(text: &str) -> String {
        let mut lines = text.lines().peekable();
        let mut tidied: Vec<String> = Vec::new();
        while let Some(line) = lines.next() {
            let comment = lines.peek().and_then(|next| next.trim_start().strip_prefix("* "));
            match (line.strip_suffix("/**"), comment) {
                (Some(indent), Some(comment)) => {
                    let comment = comment.to_string();
                    let first = lines.next().expect("peeked");
                    if lines.peek().is_some_and(|end| end.trim() == "*/") {
                        lines.next();
                        tidied.push(format!("{indent}/** {comment} */"));
                    } else {
                        tidied.extend([line.to_string(), first.to_string()]);
                    }
                }
                _ => tidied.push(line.to_string()),
            }
        }
        let text = tidied.join("\n") + "\n";
        text.replace(")\nKREF_", ") KREF_").replace(",\n}", "\n}")
    }

    fn with_version(line: &str) -> String {
        ["MAJOR", "MINOR", "PATCH"].iter().fold(line.to_string(), |line, part| {
            let number = env::var(format!("CARGO_PKG_VERSION_{part}")).expect("set by cargo");
            line.replace(&format!("@{part}@"), &number)
        })
    }
}

//! The name that libkref asks the loader for.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let [major, minor] = ["MAJOR", "MINOR"].map(|part| {
        std::env::var(format!("CARGO_PKG_VERSION_{part}")).expect("cargo sets the version")
    });
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libkref_track.so.{major}.{minor}");
}

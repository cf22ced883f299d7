//! The command kref-track. Its code is in the library, which fuzz/ uses as well.

fn main() -> std::process::ExitCode {
    judge::main()
}

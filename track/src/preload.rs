//! Whether the recorder is preloaded into the program, so that it sees free() and realloc().

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::elf;

/// The value of LD_PRELOAD that preloads `library` beside what is preloaded already.
pub fn with(library: &Path) -> OsString {
    let mut preload = library.as_os_str().to_os_string();
    if let Some(before) = std::env::var_os("LD_PRELOAD") {
        preload.push(":");
        preload.push(before);
    }
    preload
}

/// Whether a program may have a library preloaded: it is an ELF file for this processor that a loader loads, and has no
/// sanitizer that must be the first library. A script's interpreter starts programs that are not known.
pub fn may(program: &OsStr) -> bool {
    file_of(program).and_then(|path| may_file(&path)).unwrap_or(false)
}

/// The file that execvp() finds.
fn file_of(program: &OsStr) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.components().count() > 1 || path.has_root() {
        return Some(path.to_path_buf());
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(path)).find(|file| file.is_file())
}

fn may_file(path: &Path) -> Option<bool> {
    let file = File::open(path).ok()?;
    let read = |at: u64, length: u64| {
        let mut bytes = vec![0; usize::try_from(length).ok().filter(|&length| length < 1 << 24)?];
        file.read_exact_at(&mut bytes, at).ok().map(|()| bytes)
    };
    let own = File::open("/proc/self/exe").ok()?;
    let machine = |file: &File| {
        let mut bytes = [0; 2];
        file.read_exact_at(&mut bytes, 18).ok().map(|()| bytes)
    };
    if machine(&file)? != machine(&own)? {
        return Some(false);
    }
    let segments = elf::segments(&read)?;
    let is_loaded = segments.iter().any(|segment| segment.kind == libc::PT_INTERP);
    let sanitizers = ["asan", "tsan", "msan", "lsan", "clang_rt"];
    let is_one = |name: &String| sanitizers.iter().any(|sanitizer| name.contains(sanitizer));
    Some(is_loaded && !elf::needed(&segments, &read)?.iter().any(is_one))
}

#[cfg(test)]
mod tests {
    use super::{file_of, may};

    #[test]
    fn programs_scripts_and_nothing() {
        let own = std::env::current_exe().expect("this program");
        assert!(may(own.as_os_str()));
        assert!(file_of("sh".as_ref()).is_some_and(|file| file.is_absolute()));
        let script = std::env::temp_dir().join(format!("kref-script-{}", std::process::id()));
        std::fs::write(&script, "#!/bin/sh\nexit 0\n").expect("a script");
        assert!(!may(script.as_os_str()));
        let _ = std::fs::remove_file(&script);
        assert!(!may("/no/such/program".as_ref()) && !may("no-such-program".as_ref()));
    }
}

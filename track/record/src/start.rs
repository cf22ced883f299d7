//! The start: opens the judge's memory. If the program was started without a judge, starts one.
//!
//! Here alone the recorder makes system calls as it likes: libkref's constructor runs before main().

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;

use crate::filtered::Status;
use crate::own::own;
use crate::{ask, chaos, crash, fork, last_words, module, process, session, stack, thread_end};

const SESSION: &CStr = c"KREF_TRACK_SESSION";
const COMMAND: &CStr = c"KREF_TRACK_COMMAND";

/// Where kref-track is, seen from the directory of this library: built, installed, and installed where each processor
/// has a directory of its own.
const PLACES: [&CStr; 3] = [c"../kref-track", c"../../bin/kref-track", c"../../../bin/kref-track"];

unsafe extern "C" {
    static environ: *const *mut c_char;
    fn secure_getenv(name: *const c_char) -> *const c_char;
}

/// Starts. `false`: nothing is tracked, and it was said why.
///
/// # Safety
/// `options` is null or a C string.
pub unsafe fn start(options: *const c_char) -> bool {
    let opened = variable(SESSION).is_some_and(session::open);
    // SAFETY: the caller's promise.
    if !opened && !unsafe { start_judge(options) } {
        return false;
    }
    let status = Status::own();
    let filters = session::settings().map_or(0, |settings| settings.filters);
    let filtered = (opened && status.filters > filters).then_some(status);
    if let (Some(head), None) = (session::head(), filtered) {
        // SAFETY: a bare system call. Yama lets only this process's ancestors read its memory otherwise. The judge is
        // none, also if kref-track has started the program: the judge is another child of the command.
        unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::c_ulong::from(head.judge), 0, 0, 0) };
    }
    if !opened {
        last_words::set_up();
    }
    if !process::set_up(filtered) {
        return false;
    }
    process::is_seen_as(status.seen);
    stack::set_up(filtered.is_some());
    module::set_up();
    chaos::set_up();
    process::begin(own());
    thread_end::set_up();
    fork::set_up();
    crash::set_up(filtered.is_some());
    ask::begun();
    true
}

fn variable(name: &CStr) -> Option<&'static CStr> {
    // SAFETY: a C string. The environment is not changed while the constructors run.
    unsafe {
        let value = secure_getenv(name.as_ptr());
        (!value.is_null()).then(|| CStr::from_ptr(value))
    }
}

/// Starts `kref-track --judge-for PID FD OPTIONS`, which writes a path to this descriptor, and opens the memory at
/// this path. The command forks, and the parent ends at once: so the program has no child that it does not know.
///
/// # Safety
/// `options` is null or a C string.
unsafe fn start_judge(options: *const c_char) -> bool {
    let mut path = Path::new();
    if is_filtered(&mut path) {
        say(b"kref: KREF_OPTIONS=track=1: the program's seccomp filter would bind kref-track, too; \
            start the program with kref-track; it is not tracked\n");
        return false;
    }
    if !find_judge(&mut path) {
        say(b"kref: KREF_OPTIONS=track=1: kref-track was not found; the program is not tracked\n");
        return false;
    }
    let mut ends = [-1; 2];
    // SAFETY: `ends` is ours to fill.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return false;
    }
    let [read, write] = ends;
    // SAFETY: the caller's promise.
    let child = unsafe { spawn(&path, options, write) };
    // SAFETY: the ends are ours; the child is, too.
    let opened = unsafe {
        libc::close(write);
        let answered = child.is_some() && path.read_line(read);
        let opened = answered && session::open(path.text());
        if answered && !opened {
            say(b"kref: KREF_OPTIONS=track=1: there is no /proc, or no memory to share with \
                kref-track; the program is not tracked\n");
        }
        libc::close(read);
        opened
    };
    if let Some(child) = child {
        // SAFETY: a child that nobody else knows. EINTR: waits again.
        while unsafe { libc::waitpid(child, ptr::null_mut(), 0) } < 0 && interrupted() {}
    } else {
        say(b"kref: KREF_OPTIONS=track=1: kref-track did not start; the program is not tracked\n");
    }
    opened
}

/// Whether this process has more seccomp filters than the one that has started it: they are not a container's.
fn is_filtered(path: &mut Path) -> bool {
    let status = Status::own();
    if status.filters == 0 {
        return false;
    }
    let mut parent = [0; 24];
    decimal(status.parent, &mut parent);
    let digits = parent.split(|&byte| byte == 0).next().unwrap_or_default();
    let mut directory = [0; 32];
    let name = b"/proc/".iter().chain(digits);
    directory.iter_mut().zip(name).for_each(|(place, byte)| *place = *byte);
    let length = (6 + digits.len()).min(directory.len());
    path.set(directory.get(..length).unwrap_or_default(), b"/status");
    status.filters > Status::read(path.text()).filters
}

/// Finds the command.
fn find_judge(path: &mut Path) -> bool {
    if let Some(named) = variable(COMMAND) {
        return path.set(named.to_bytes(), b"") && path.is_executable();
    }
    let mut info = libc::Dl_info {
        dli_fname: ptr::null(),
        dli_fbase: ptr::null_mut(),
        dli_sname: ptr::null(),
        dli_saddr: ptr::null_mut(),
    };
    let here = crate::kref_track_start as *const c_void;
    // SAFETY: an address in this library, and a structure to fill in.
    if unsafe { libc::dladdr(here, &mut info) } == 0 || info.dli_fname.is_null() {
        return false;
    }
    // SAFETY: the loader's C string.
    let file = unsafe { CStr::from_ptr(info.dli_fname) }.to_bytes();
    let Some(slash) = file.iter().rposition(|&byte| byte == b'/') else { return false };
    let directory = file.get(..slash + 1).unwrap_or_default();
    PLACES.iter().any(|place| path.set(directory, place.to_bytes()) && path.is_executable())
}

/// # Safety
/// `options` is null or a C string.
unsafe fn spawn(path: &Path, options: *const c_char, output: c_int) -> Option<libc::pid_t> {
    let mut pid = [0; 24];
    // SAFETY: a bare system call.
    decimal(unsafe { libc::getpid() } as u32, &mut pid);
    let options = if options.is_null() { c"".as_ptr() } else { options };
    let arguments = [
        c"kref-track".as_ptr(),
        c"--judge-for".as_ptr(),
        pid.as_ptr().cast(),
        c"3".as_ptr(),
        options,
        ptr::null(),
    ];
    let mut child = 0;
    // SAFETY: the structures are initialised before they are used, and the arguments end with a null.
    unsafe {
        let mut files = core::mem::zeroed();
        let mut attributes = core::mem::zeroed();
        let mut signals = core::mem::zeroed();
        libc::posix_spawn_file_actions_init(&mut files);
        libc::posix_spawnattr_init(&mut attributes);
        libc::posix_spawn_file_actions_adddup2(&mut files, output, 3);
        libc::sigemptyset(&mut signals);
        libc::posix_spawnattr_setsigmask(&mut attributes, &signals);
        libc::posix_spawnattr_setflags(&mut attributes, libc::POSIX_SPAWN_SETSIGMASK as _);
        let failed = libc::posix_spawn(
            &mut child,
            path.text().as_ptr(),
            &files,
            &attributes,
            arguments.as_ptr().cast(),
            environ,
        );
        libc::posix_spawnattr_destroy(&mut attributes);
        libc::posix_spawn_file_actions_destroy(&mut files);
        (failed == 0).then_some(child)
    }
}

/// Writes a number as a C string.
fn decimal(mut number: u32, text: &mut [u8; 24]) {
    let mut digits = 1;
    let mut rest = number / 10;
    while rest > 0 {
        (digits, rest) = (digits + 1, rest / 10);
    }
    for place in text.iter_mut().take(digits).rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

fn interrupted() -> bool {
    // SAFETY: errno is this thread's.
    unsafe { *libc::__errno_location() == libc::EINTR }
}

fn say(line: &[u8]) {
    // SAFETY: the bytes are there.
    unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
}

/// A path: a C string in an array.
struct Path {
    bytes: [u8; 1024],
}

impl Path {
    fn new() -> Self {
        Self { bytes: [0; 1024] }
    }

    /// `false`: it is too long.
    fn set(&mut self, directory: &[u8], name: &[u8]) -> bool {
        if directory.len() + name.len() >= self.bytes.len() {
            return false;
        }
        self.bytes.fill(0);
        for (place, byte) in self.bytes.iter_mut().zip(directory.iter().chain(name)) {
            *place = *byte;
        }
        true
    }

    fn text(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c"")
    }

    fn is_executable(&self) -> bool {
        // SAFETY: a C string.
        unsafe { libc::access(self.text().as_ptr(), libc::X_OK) == 0 }
    }

    /// Reads a line from a pipe. `false`: there is none.
    fn read_line(&mut self, pipe: c_int) -> bool {
        self.bytes.fill(0);
        let mut length = 0;
        while let Some(place) = self.bytes.get_mut(length) {
            // SAFETY: there is room for a byte.
            match unsafe { libc::read(pipe, ptr::from_mut(place).cast(), 1) } {
                1 if *place == b'\n' => {
                    *place = 0;
                    return length > 0;
                }
                1 => length += 1,
                0 => return false,
                _ if interrupted() => {}
                _ => return false,
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers() {
        for number in [0, 7, 10, 4_000_000_000] {
            let mut text = [0; 24];
            decimal(number, &mut text);
            let end = text.iter().position(|&byte| byte == 0).expect("a zero");
            assert_eq!(&text[..end], std::format!("{number}").as_bytes());
        }
    }
}

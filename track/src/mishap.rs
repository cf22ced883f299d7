//! What would end the judge in the middle of its work: there is no memory, or a file got shorter.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The system's allocator. Without memory the judge ends with a line, and the programs go on untracked: the kernel
/// tells them that the judge has ended.
struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

// SAFETY: all is the system's allocator's.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        there_is(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        there_is(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        there_is(unsafe { System.realloc(memory, layout, size) }, size)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) };
    }
}

/// A damaged file may claim to have a section of any size. Who reads it asks for more than there is, and goes on
/// without.
const CLAIMED: usize = 1 << 30;

fn there_is(memory: *mut u8, size: usize) -> *mut u8 {
    if memory.is_null() && size < CLAIMED {
        out_of_memory();
    }
    memory
}

#[cold]
fn out_of_memory() -> ! {
    const LINE: &str = "kref-track: out of memory: nothing more is tracked or reported\n";
    static SAID: AtomicBool = AtomicBool::new(false);
    if SAID.swap(true, Relaxed) {
        loop {
            std::hint::spin_loop(); // another thread ends this process
        }
    }
    // SAFETY: the bytes are there. Nothing of ours runs at the end, since it may need memory.
    unsafe {
        libc::write(libc::STDERR_FILENO, LINE.as_ptr().cast(), LINE.len());
        libc::_exit(2)
    }
}

/// A mapped file, of which debug information is read, may get shorter: then the kernel sends SIGBUS to who reads what
/// is not there any more. The page that is missing becomes one of zeros, which no reader of such files believes.
pub fn survive_short_files() {
    // SAFETY: `action` is filled in before it is used; the handler does what a handler may.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = missing_page as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
    }
}

extern "C" fn missing_page(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives the information. If it is of a page behind a file's end, nothing is there that a mapping
    // could take the place of. Otherwise the fault comes again, and ends this process.
    unsafe {
        let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
        let start = (*info).si_addr() as usize & !(page - 1);
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        let is_behind_end = (*info).si_code == libc::BUS_ADRERR;
        if !is_behind_end
            || libc::mmap(start as *mut _, page, libc::PROT_READ, kind, -1, 0) == libc::MAP_FAILED
        {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::debug::{Debug, Places, Subject};

    use super::survive_short_files;

    #[test]
    fn a_size_that_no_machine_has() {
        assert!(Vec::<u8>::new().try_reserve_exact(1 << 60).is_err());
    }

    #[test]
    fn a_file_that_gets_shorter() {
        survive_short_files();
        let name = format!("kref-track-short.{}", std::process::id());
        let copy = std::env::temp_dir().join(name);
        std::fs::copy("/proc/self/exe", &copy).expect("room for a copy");
        let own = std::fs::File::open(&copy).expect("our file");
        let subject = Subject { path: &copy, build_id: None, file: Some(&own) };
        let debug = Debug::new(&subject, &Places::new(None)).expect("a program");
        let file = std::fs::File::options().write(true).open(&copy).expect("our file");
        file.set_len(0).expect("it gets shorter");
        for address in (0..1 << 22).step_by(4096) {
            debug.functions(address);
        }
        std::fs::remove_file(copy).expect("our file");
    }
}

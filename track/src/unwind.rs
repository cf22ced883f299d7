//! The walk up the stack: by the unwinding tables, with what was found out about each return address
//! kept in a cache per thread, so that a frame costs a few nanoseconds.

use std::ops::Range;
use std::sync::atomic::{
    AtomicPtr, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use framehop::{ExplicitModuleSectionInfo, FrameAddress, Unwinder as _};

use crate::known::Trail;
use crate::modules::{self, Module, Section};
use crate::processor::{self, Unwinder};
use crate::seam::Caller;

/// The most frames: 64 of the program's, and libkref's own before them.
pub const MOST: usize = 72;
/// Frames of libkref's that may come first where they cannot be told from the program's.
const OURS: usize = 3;

type Walker = Unwinder<&'static [u8]>;

/// Return addresses, the innermost first.
#[derive(Clone, Copy)]
pub struct Walk {
    ips: [u64; MOST],
    length: usize,
}

impl Walk {
    /// The addresses.
    pub fn ips(&self) -> &[u64] {
        &self.ips[..self.length]
    }

    /// No frame but the caller.
    pub fn only(caller: Caller) -> Self {
        let mut ips = [0; MOST];
        ips[0] = caller.ip;
        Self { ips, length: 1 }
    }
}

static WALKER: AtomicPtr<Walker> = AtomicPtr::new(std::ptr::null_mut());
/// Where the first thread's stack ends.
static STACK_END: AtomicU64 = AtomicU64::new(0);

/// Notes where the first thread's stack ends, and learns what is loaded.
pub fn set_up() {
    unsafe extern "C" {
        #[link_name = "__libc_stack_end"]
        static END: u64;
    }
    // SAFETY: the loader set it before it ran anything.
    STACK_END.store(unsafe { END }, Relaxed);
    refresh();
}

/// Learns what was loaded or unloaded since. True if anything was.
pub fn refresh() -> bool {
    modules::refresh(|present| {
        let mut walker = Walker::new();
        for module in present {
            walker.add_module(describe(module));
        }
        // Release: pairs with the acquire in `walk`. The one before is left: a thread may be in it.
        WALKER.store(Box::into_raw(Box::new(walker)), Release);
    })
}

fn describe(module: &Module) -> framehop::Module<&'static [u8]> {
    let place = |section: &Option<Section>| -> Option<Range<u64>> {
        let section = section.as_ref()?;
        Some(section.start..section.start + section.bytes.len() as u64)
    };
    let info = ExplicitModuleSectionInfo {
        base_svma: 0,
        eh_frame_svma: place(&module.frames),
        eh_frame: module.frames.as_ref().map(|section| section.bytes),
        eh_frame_hdr_svma: place(&module.header),
        eh_frame_hdr: module.header.as_ref().map(|section| section.bytes),
        ..Default::default()
    };
    framehop::Module::new(module.name.to_string(), module.range.clone(), module.base, info)
}

/// Another number for other modules.
pub fn generation() -> usize {
    WALKER.load(Relaxed) as usize
}

/// Walks up from `caller`: at most `depth` frames that are not libkref's. `trail` is what that depended on.
pub fn walk(caller: Caller, cache: &mut processor::Cache, depth: usize, trail: &mut Trail) -> Walk {
    let mut walk = Walk::only(caller);
    // SAFETY: set by `refresh`, and never freed. Acquire: pairs with the release there.
    let Some(walker) = (unsafe { WALKER.load(Acquire).as_ref() }) else { return walk };
    let mut left = if modules::libkref_is_shared() { depth } else { depth + OURS };
    let mut registers = processor::registers(caller);
    let mut read = stack_reader(caller.sp);
    let mut ip = caller.ip;
    while walk.length < MOST {
        if !modules::is_libkref(ip) {
            left -= 1;
            if left == 0 {
                break;
            }
        }
        let Some(address) = FrameAddress::from_return_address(ip) else { break };
        let before = registers;
        let mut noted = |address| read(address).inspect(|&value| trail.note(address, value));
        match walker.unwind_frame(address, &mut registers, cache, &mut noted) {
            Ok(Some(next)) if next > 4096 => {
                trail.next(&before, &registers);
                walk.ips[walk.length] = next;
                walk.length += 1;
                ip = next;
            }
            Ok(None) => {
                trail.end();
                break;
            }
            _ => {
                trail.lose();
                break;
            }
        }
    }
    walk
}

/// The largest stack that is taken for one.
const LARGE: u64 = 64 << 20;

/// Reads the stack's words. On a stack that the C library did not make (a coroutine's, a signal
/// handler's, or behind it the one that was interrupted) nobody knows where it ends: there the kernel
/// reads, which refuses what is not mapped.
fn stack_reader(sp: u64) -> impl FnMut(u64) -> Result<u64, ()> {
    let known = end_of_stack(sp);
    move |address| match known {
        Some(end) if (sp..end - 7).contains(&address) && address & 7 == 0 => {
            // SAFETY: between the stack pointer and the stack's end.
            Ok(unsafe { (address as *const u64).read() })
        }
        _ => ask_the_kernel(address),
    }
}

/// Where this stack ends, if that is known. A thread's descriptor, to which the thread pointer belongs, lies at the
/// end of the stack that the C library made for the thread.
pub fn end_of_stack(sp: u64) -> Option<u64> {
    let ends = [STACK_END.load(Relaxed), processor::thread_pointer() as u64];
    ends.into_iter().filter(|&end| sp < end && end - sp < LARGE).min()
}

fn ask_the_kernel(address: u64) -> Result<u64, ()> {
    let mut word = 0_u64;
    let local = libc::iovec { iov_base: (&raw mut word).cast(), iov_len: 8 };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: 8 };
    // SAFETY: `word` has room for what is read.
    let read = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
    if read == 8 { Ok(word) } else { Err(()) }
}

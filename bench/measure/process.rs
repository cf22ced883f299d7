//! What the process of a benchmark needs before it loads its contenders.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};

/// Lets liburcu be loaded as in a program that is linked with it, and makes a second thread.
pub fn prepare_the_process() {
    align_static_tls();
    be_a_program_with_threads();
}

/// Lets liburcu be loaded later with its threads' data in the static TLS block, a register and an
/// offset away, as in a program that is linked with liburcu. The loader puts data there only if the
/// block's alignment is at least liburcu's, and the block has the alignment of this variable.
fn align_static_tls() {
    #[repr(align(128))]
    struct Aligned(Cell<u8>);
    thread_local! {
        static ALIGNED: Aligned = const { Aligned(Cell::new(0)) };
    }
    ALIGNED.with(|aligned| std::hint::black_box(&aligned.0).set(1));
}

/// glibc's mutex leaves its atomic instructions out until a process has had a second thread, and
/// membarrier(2) has nothing to do while it has none.
fn be_a_program_with_threads() {
    std::thread::spawn(|| {
        loop {
            std::thread::park()
        }
    });
}

/// Keeps idle processors awake as long as it exists.
///
/// A processor that sleeps needs time to wake up. In a virtual machine, the sleep and the wake-up also make the machine exit
/// to its host. If the threads of a program wait for each other, each wait can cost such a wake-up. A tool changes the timing
/// of the threads, and so the number of wake-ups. So a comparison may show this instead of what the tool itself costs.
pub struct Awake {
    /// The kernel ends the request when the file is closed.
    _request: File,
}

impl Awake {
    /// Asks the kernel to keep idle processors awake. The usual error is that this user has no permission.
    pub fn ask() -> io::Result<Self> {
        let idle = fs::read_to_string("/sys/devices/system/cpu/cpu0/cpuidle/state0/name")?;
        if idle.trim() != "POLL" {
            return Err(io::Error::other(
                "the processors have no idle state in which they stay awake",
            ));
        }
        let mut request = OpenOptions::new().write(true).open("/dev/cpu_dma_latency")?;
        let most_microseconds = 0_i32;
        request.write_all(&most_microseconds.to_ne_bytes())?;
        Ok(Self { _request: request })
    }
}

/// The bytes of memory that the process has.
pub fn resident() -> usize {
    let numbers = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: Option<usize> = numbers.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    // SAFETY: the function only returns a number.
    pages.expect("a number") * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize
}

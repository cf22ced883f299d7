//! What a thread waits for, as the kernel tells without stopping it.

use std::fs;

use crate::stat::Stat;

/// What a thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It waits for a mutex of the C library's that another thread holds, or itself.
    Mutex {
        /// The mutex.
        address: u64,
        /// The kernel's number of the thread that holds it.
        holder: i32,
    },
    /// It waits for something else that another thread does.
    Futex(u64),
    /// It is in a system call.
    Call(u64),
    /// It runs, or could.
    Running,
    /// Nothing tells.
    Unknown,
}

impl Wait {
    /// For machines.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mutex { .. } => "mutex",
            Self::Futex(_) => "thread",
            Self::Call(_) => "system-call",
            Self::Running => "running",
            Self::Unknown => "unknown",
        }
    }
}

/// What a thread waits for, and where its stack ends, if it waits. `None`: there is no such thread.
pub fn of(pid: u32, tid: i32) -> Option<(Wait, Option<u64>)> {
    let path = format!("/proc/{pid}/task/{tid}");
    if !fs::exists(&path).unwrap_or(false) {
        return None;
    }
    let call = fs::read_to_string(format!("{path}/syscall")).unwrap_or_default();
    let call = call.trim_end();
    if call == "running" {
        return Some((Wait::Running, None));
    }
    Some(parse(call).map_or((Wait::Unknown, None), |(number, first, stack)| {
        let wait = match number {
            None => Wait::Running,
            Some(number) if number == libc::SYS_futex as u64 => futex(pid, first),
            Some(number) => Wait::Call(number),
        };
        (wait, Some(stack))
    }))
}

/// The number of a system call, its first argument, and the stack pointer. The number is `None` outside of calls.
fn parse(line: &str) -> Option<(Option<u64>, u64, u64)> {
    let words: Vec<_> = line.split(' ').collect();
    let number = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    match words[..] {
        ["-1", stack, _] => Some((None, 0, number(stack)?)),
        [call, first, .., stack, _] => Some((call.parse().ok(), number(first)?, number(stack)?)),
        _ => None,
    }
}

/// A mutex has the number of the thread that holds it 8 bytes behind the word that others wait for.
fn futex(pid: u32, address: u64) -> Wait {
    let words: Option<[u8; 12]> =
        crate::modules::memory(pid, address, 12).and_then(|bytes| bytes.try_into().ok());
    let holder =
        words.map_or(0, |words| i32::from_le_bytes([words[8], words[9], words[10], words[11]]));
    if holder > 0 && threads(pid).contains(&holder) {
        return Wait::Mutex { address, holder };
    }
    Wait::Futex(address)
}

/// The mutex for which a thread waits without a limit of time, and which it holds itself.
pub fn own_mutex(pid: u32, tid: i32) -> Option<u64> {
    let line = fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
    let address = wait_for_lock(line.trim_end())?;
    let bytes = crate::modules::memory(pid, address, 20)?;
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (lock, holder, kind) = (word(0)?, word(8)?, word(16)?);
    // Only these two kinds wait for themselves: PTHREAD_MUTEX_NORMAL and PTHREAD_MUTEX_ADAPTIVE_NP.
    let is_simple = matches!(kind & 0x7f, 0 | 3);
    (lock == LOCKED_AND_WANTED && i32::try_from(holder) == Ok(tid) && is_simple).then_some(address)
}

/// The value of a mutex that is locked and for which somebody waits.
const LOCKED_AND_WANTED: u32 = 2;

/// The address of a futex in which a thread waits as glibc's pthread_mutex_lock() does: FUTEX_WAIT, with this value,
/// and no limit of time. A condition variable uses FUTEX_WAIT_BITSET.
fn wait_for_lock(line: &str) -> Option<u64> {
    let number = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let [call, address, operation, value, limit, ..] = line.split(' ').collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let is_wait = call.parse() == Ok(libc::SYS_futex)
        && number(operation)? & !u64::from(libc::FUTEX_PRIVATE_FLAG as u32) == 0
        && number(value)? & 0xffff_ffff == u64::from(LOCKED_AND_WANTED)
        && number(limit)? == 0;
    is_wait.then(|| number(address))?
}

/// The processor time that a thread has used, in seconds.
pub fn processor_time(pid: u32, tid: i32) -> Option<u64> {
    let stat = Stat::read(&format!("/proc/{pid}/task/{tid}"))?;
    // Fields 14 and 15 are the times, in ticks.
    // SAFETY: a bare call.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    (stat.number(14)? + stat.number(15)?).checked_div(u64::try_from(ticks).ok()?)
}

/// The threads of a process, by the kernel's numbers.
pub fn threads(pid: u32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.filter_map(|task| task.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Wait, of, own_mutex, parse, wait_for_lock};

    #[test]
    fn lines_of_the_kernel() {
        let line = "202 0x7f00 0x80 0x2 0x0 0x0 0x0 0x7ffd10 0x7f1234";
        assert_eq!(parse(line), Some((Some(202), 0x7f00, 0x7ffd10)));
        assert_eq!(parse("-1 0x7ffd10 0x7f1234"), Some((None, 0, 0x7ffd10)));
        assert_eq!((parse(""), parse("202 0x5")), (None, None));
    }

    /// A condition variable, a limit of time and another value are no lock.
    #[test]
    fn a_wait_for_a_lock() {
        let line =
            |rest: &str| format!("{} 0x7f00 {rest} 0x0 0x0 0x7ffd10 0x7f1234", libc::SYS_futex);
        assert_eq!(wait_for_lock(&line("0x80 0x2 0x0")), Some(0x7f00));
        for other in ["0x189 0x2 0x0", "0x80 0x2 0x7ffc", "0x80 0x0 0x0"] {
            assert_eq!(wait_for_lock(&line(other)), None, "{other}");
        }
        assert_eq!(wait_for_lock("running"), None);
    }

    /// A thread that waits for a mutex that it holds.
    #[test]
    fn a_mutex_of_ones_own() {
        struct Shared(std::cell::UnsafeCell<libc::pthread_mutex_t>);
        // SAFETY: a mutex is for several threads.
        unsafe impl Sync for Shared {}
        static MUTEX: Shared = Shared(std::cell::UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));
        let (told, number) = std::sync::mpsc::channel();
        let address = MUTEX.0.get() as u64;
        std::thread::spawn(move || {
            // SAFETY: bare calls. The second waits for ever.
            unsafe {
                told.send(libc::syscall(libc::SYS_gettid) as i32).expect("somebody listens");
                libc::pthread_mutex_lock(MUTEX.0.get());
                libc::pthread_mutex_lock(MUTEX.0.get());
            }
        });
        let holder = number.recv().expect("a thread");
        let wait = || of(std::process::id(), holder).expect("it waits for ever").0;
        while wait() != (Wait::Mutex { address, holder }) {
            std::thread::yield_now();
        }
        assert_eq!(own_mutex(std::process::id(), holder), Some(address));
        assert_eq!(of(std::process::id(), i32::MAX), None);
    }
}

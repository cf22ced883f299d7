//! Whether each thread has had its turn.
//!
//! A thread that the kernel has interrupted in the recorder finishes its record when it runs again. On a busy machine
//! that may take long. So the judge gives a record up only when each thread that could finish it has run for a while
//! since, or waits for something, which the recorder never does in the middle of a record.

use std::time::{Duration, Instant};

use crate::stat::Stat;

/// A thread that has run for this many nanoseconds has finished its record.
const LONG_ENOUGH: u64 = 1_000_000;
/// The judge waits at most this long, for example if the kernel does not tell how long a thread ran.
const LONGEST: Duration = Duration::from_secs(30);

/// A thread that can run and has not.
struct Task {
    folder: String,
    /// Nanoseconds on a processor, when the judge began to watch it.
    ran: u64,
}

/// The threads that have had no turn since the judge began to watch.
#[derive(Default)]
pub struct Turns {
    since: Option<Instant>,
    left: Vec<Task>,
}

impl Turns {
    /// Nothing is missing: the next time begins anew.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Watches the threads of the processes that write, from now on, if it does not yet. Returns since when, once each of them
    /// has had its turn.
    pub fn are_over(&mut self, pids: impl FnOnce() -> Vec<u32>) -> Option<Instant> {
        let since = *self.since.get_or_insert_with(|| {
            self.left = pids().into_iter().flat_map(tasks).collect();
            Instant::now()
        });
        if since.elapsed() < LONGEST {
            self.left.retain(|task| can_run(&task.folder) && !task.has_run());
        } else {
            self.left.clear();
        }
        self.left.is_empty().then_some(since)
    }
}

impl Task {
    fn has_run(&self) -> bool {
        ran(&self.folder).is_some_and(|now| now.saturating_sub(self.ran) >= LONG_ENOUGH)
    }
}

fn tasks(pid: u32) -> Vec<Task> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let folders = entries.map(|entry| entry.path().to_string_lossy().into_owned());
    folders.map(|folder| Task { ran: ran(&folder).unwrap_or(0), folder }).collect()
}

/// The nanoseconds that a thread was on a processor.
fn ran(folder: &str) -> Option<u64> {
    let times = std::fs::read_to_string(format!("{folder}/schedstat")).ok()?;
    times.split_whitespace().next()?.parse().ok()
}

/// Whether a thread runs or would like to. A thread that has ended does not.
fn can_run(folder: &str) -> bool {
    Stat::read(folder).is_some_and(|stat| stat.state() == Some('R'))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use super::Turns;

    #[test]
    fn a_thread_that_waits_or_has_run_holds_nobody_up() {
        static STOP: AtomicBool = AtomicBool::new(false);
        let busy = std::thread::spawn(|| {
            while !STOP.load(Relaxed) {
                std::hint::spin_loop();
            }
        });
        let (held, end) = std::sync::mpsc::channel::<()>();
        let waits = std::thread::spawn(move || end.recv().is_err());
        let mut turns = Turns::default();
        while turns.are_over(|| vec![std::process::id()]).is_none() {
            std::thread::yield_now();
        }
        STOP.store(true, Relaxed);
        drop(held);
        busy.join().expect("it stops");
        assert!(waits.join().expect("it ends"));
        assert!(Turns::default().are_over(|| vec![0]).is_some(), "no such process");
    }

    /// A thread that can run, and whose processor time has not grown, has had no turn yet.
    #[test]
    fn a_thread_that_has_not_run_is_waited_for() {
        let mut turns = Turns::default();
        turns.left.push(super::Task { folder: "/proc/thread-self".into(), ran: u64::MAX });
        turns.since = Some(std::time::Instant::now());
        assert!(turns.are_over(Vec::new).is_none());
    }
}

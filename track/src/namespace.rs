//! Processes of other PID namespaces: a process there calls itself by another number than the judge does.
//!
//! A recorder asks /proc for its number when a program begins: it has the judge's /proc, by which it has opened the
//! memory. The child of a fork knows only the number that it has itself, and the judge looks for the child among those
//! that have the memory.

use crate::ends;

/// The numbers of a process: the judge's first, the process's own last.
fn numbers(pid: u32) -> Vec<u32> {
    let status = std::fs::read(format!("/proc/{pid}/status")).unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let numbers = line.unwrap_or_default().split_ascii_whitespace();
    numbers.filter_map(|number| number.parse().ok()).collect()
}

/// Whether a process is in another namespace than the judge.
pub fn is_inside(pid: u32) -> bool {
    numbers(pid).len() > 1
}

/// Whether a process's children are in another namespace than the judge.
pub fn has_children_inside(pid: u32) -> bool {
    let theirs = std::fs::read_link(format!("/proc/{pid}/ns/pid_for_children"));
    let own = std::fs::read_link("/proc/self/ns/pid");
    theirs.is_ok_and(|theirs| own.is_ok_and(|own| theirs != own))
}

/// The judge's number of the process that calls itself `own`. `None`: it is not there any more, or cannot be seen.
pub fn find(own: u32, is_known: impl Fn(u32) -> bool) -> Option<u32> {
    let users = ends::users(std::process::id());
    let mut unknown = users.into_iter().filter(|&pid| !is_known(pid));
    unknown.find(|&pid| numbers(pid).last() == Some(&own))
}

#[cfg(test)]
mod tests {
    use super::{find, has_children_inside, is_inside};

    #[test]
    fn this_process() {
        let own = std::process::id();
        assert!(!is_inside(own) && !has_children_inside(own));
        assert!(find(own, |_| false).is_none(), "it has no memory of a session of its own");
    }
}

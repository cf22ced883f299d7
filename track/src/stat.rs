//! What the kernel says of a process or a thread: the fields of its file `stat`, by their numbers in proc(5).

/// A file `stat`.
pub struct Stat(String);

impl Stat {
    /// In a folder of /proc. `None`: there is no such process or thread.
    pub fn read(folder: &str) -> Option<Self> {
        let bytes = std::fs::read(format!("{folder}/stat")).ok()?;
        Some(Self(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The fields 1 and 2, and those behind the name. The name may have any character in it.
    fn parts(&self) -> Option<(&str, &str)> {
        self.0.rsplit_once(") ")
    }

    /// The fields 1 and 2: the number and the name.
    pub fn name(&self) -> Option<&str> {
        Some(self.parts()?.0)
    }

    /// Field 3: a letter.
    pub fn state(&self) -> Option<char> {
        self.parts()?.1.chars().next()
    }

    /// A later field, which is a number.
    pub fn number(&self, field: usize) -> Option<u64> {
        self.parts()?.1.split(' ').nth(field - 3)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Stat;

    #[test]
    fn a_name_of_any_bytes() {
        let stat = |name: &str| Stat(format!("70 ({name}) R 1 2 3 4 5 66"));
        for name in ["sh", "a) Z 1", "a b", "\u{fffd}) "] {
            let stat = stat(name);
            let named = format!("70 ({name}");
            assert_eq!((stat.name(), stat.state()), (Some(named.as_str()), Some('R')));
            assert_eq!([4, 9, 10].map(|field| stat.number(field)), [Some(1), Some(66), None]);
        }
        assert!(Stat(String::new()).state().is_none());
    }

    /// A thread whose name is no text is there, and runs.
    #[test]
    fn this_thread() {
        let seen = std::thread::spawn(|| {
            // SAFETY: the kernel reads the name, up to its zero.
            unsafe { libc::prctl(libc::PR_SET_NAME, c"\xff) Z".as_ptr()) };
            let stat = Stat::read("/proc/thread-self").expect("this thread");
            (stat.state(), stat.number(22).is_some())
        });
        assert_eq!(seen.join().expect("it ends"), (Some('R'), true));
        assert!(Stat::read("/proc/0").is_none());
    }
}

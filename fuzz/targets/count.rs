//! Random operations on a count, against a model that counts in 64 bits. The count lives on through misuse.
#![no_main]

mod violations;

use kref::{Count, MAX, PthreadMutex, RawLock, SATURATED, ViolationKind};
use libfuzzer_sys::fuzz_target;
use violations::watched;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Model {
    Alive(i64),
    Dead,
    Saturated,
}

/// What an operation shows: its result, and the violation that it reports.
type Shown = (Option<bool>, Option<ViolationKind>);

fuzz_target!(|data: &[u8]| {
    let (count, mut model) = (Count::new(1), Model::Alive(1));
    for &[operation, a, b] in data.as_chunks().0 {
        let n = number(a, b);
        let (result, told) = watched(|| perform(&count, operation, n));
        assert!(told.len() <= 1, "{told:?}");
        let expected = model.perform(operation, n);
        assert_eq!((result, told.first().copied()), expected, "{} of {n}", operation % 14);
        assert_eq!(count.read(), model.read(), "after {} of {n}", operation % 14);
    }
});

/// Small numbers, and numbers near both ends of the range.
fn number(a: u8, b: u8) -> i32 {
    let n = i32::from(b);
    match a % 8 {
        0..4 => n % 4,
        4 => n - 128,
        5 => MAX - n % 4,
        6 => i32::MIN + n % 4,
        _ => n << 23,
    }
}

fn perform(count: &Count, operation: u8, n: i32) -> Option<bool> {
    static LOCK: PthreadMutex = PthreadMutex::new();
    match operation % 14 {
        0 => count.inc(),
        1 => count.add(n),
        2 => return Some(count.inc_not_zero()),
        3 => return Some(count.add_not_zero(n)),
        4 => return Some(count.inc_not_zero_acquire()),
        5 => return Some(count.add_not_zero_acquire(n)),
        6 => return Some(count.dec_and_test()),
        7 => return Some(count.sub_and_test(n)),
        8 => count.dec(),
        9 => return Some(count.dec_not_one()),
        10 => return Some(count.dec_if_one()),
        11 => {
            let is_last = count.dec_and_lock(&LOCK);
            if is_last {
                // SAFETY: the last put has taken the lock.
                unsafe { LOCK.unlock() };
            }
            return Some(is_last);
        }
        12 => count.set(n),
        _ => count.set_release(n),
    }
    None
}

impl Model {
    fn read(self) -> i32 {
        match self {
            Self::Alive(references) => references.min(i64::from(MAX)) as i32,
            Self::Dead => 0,
            Self::Saturated => SATURATED,
        }
    }

    fn perform(&mut self, operation: u8, n: i32) -> Shown {
        let (n, full) = (i64::from(n), i64::from(MAX) + 1);
        match operation % 14 {
            0 => self.get(1, full, None),
            1 => self.get(n, full - 1, None),
            2 | 4 => self.get(1, full - 1, Some(true)),
            3 | 5 => self.get(n, full - 1, Some(true)),
            6 | 11 => self.put(1, Some(true), Some(false)),
            7 => self.put(n, Some(true), Some(false)),
            8 if *self == Self::Alive(1) => {
                *self = Self::Saturated;
                (None, Some(ViolationKind::DecToZero))
            }
            8 => self.put(1, None, None),
            9 if *self == Self::Alive(1) => (Some(false), None),
            9 => self.put(1, Some(true), Some(true)),
            10 if *self == Self::Alive(1) => self.put(1, Some(true), None),
            10 => (Some(false), None),
            _ => {
                *self = match n {
                    ..0 => Self::Saturated,
                    0 => Self::Dead,
                    _ => Self::Alive(n),
                };
                (None, None)
            }
        }
    }

    /// A get of `n`, up to `most` references. `unless_zero` is `Some(true)` for the functions that return `false`
    /// on a dead count, and `None` for the others.
    fn get(&mut self, n: i64, most: i64, unless_zero: Option<bool>) -> Shown {
        let violation = match *self {
            Self::Alive(references) if n == 0 || n > 0 && references + n <= most => {
                *self = Self::Alive(references + n);
                return (unless_zero, None);
            }
            Self::Dead if unless_zero.is_some() => return (Some(false), None),
            Self::Alive(_) => ViolationKind::Overflow,
            Self::Dead => ViolationKind::GetOnZero,
            Self::Saturated => ViolationKind::Saturated,
        };
        *self = Self::Saturated;
        (unless_zero, Some(violation))
    }

    /// A put of `n`. `last` is the result if these were the last references, `otherwise` the result in all other
    /// cases.
    fn put(&mut self, n: i64, last: Option<bool>, otherwise: Option<bool>) -> Shown {
        let violation = match *self {
            Self::Alive(references) if n > 0 && n == references => {
                *self = Self::Dead;
                return (last, None);
            }
            Self::Alive(references) if n >= 0 && n < references => {
                *self = Self::Alive(references - n);
                return (otherwise, None);
            }
            Self::Alive(_) | Self::Dead => ViolationKind::PutOnZero,
            Self::Saturated => ViolationKind::Saturated,
        };
        *self = Self::Saturated;
        (otherwise, Some(violation))
    }
}

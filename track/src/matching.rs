//! Which get a put undoes, when the put comes: for reports of misuse, for `--live`, and for objects whose histories are
//! not kept. A report of what is held at the end explains all objects of a type ([`crate::evidence`]).
//!
//! A put says what it gives back, or it does not. In this order:
//!
//! 1. A holder's name: `kref_put_as(.., "cache")` undoes a get of the cache's, the latest.
//! 2. All references that are left were taken at one stack: it is one of these.
//! 3. kref_thread_create()'s reference is the new thread's: puts of the thread that called it look
//!    elsewhere first, and puts of other threads that have nothing nearer look there first.
//! 4. The nearest common function. Going from the put outwards, the first function through which a get
//!    went as well: the put's own function, then its caller, and so on. Nearer is better.
//! 5. The two of a pair are equally far from that function: `arm(); fire();` before `new(); fire();`.
//! 6. Further callers that both have in common; then, the same thread.
//! 7. kref_init()'s reference first: what is left is a get that nobody undid, more often than not.
//!    Otherwise, the latest first.
//!
//! Rules 1 to 6 are taken for knowledge. Where rule 7 had to choose between different stacks, or there
//! was no common function at all, the put counts as unsure, and a report that such puts touch says so
//! and gives the balance.

use std::cell::RefCell;

use crate::code::{Code, Id};
use crate::symbols::Frame;

/// Pairs of stacks whose distance is remembered.
const REMEMBERED: usize = 1 << 14;

/// Pairs of stacks, and how far they are from each other.
pub struct Distances(RefCell<Vec<(u64, Distance)>>);

impl Default for Distances {
    fn default() -> Self {
        Self(RefCell::new(vec![(0, 0); REMEMBERED]))
    }
}

/// How far a get is from a put: less is better.
pub type Distance = u32;

/// No function in common.
const NOTHING: u32 = 63;

/// A get that a put may undo.
#[derive(Clone, Copy)]
pub struct Candidate {
    /// The get's stack.
    pub stack: Id,
    /// The get's thread.
    pub thread: u32,
    /// Whether it is kref_init()'s.
    pub is_first: bool,
}

/// The get that was chosen, and whether rule 7 had to choose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// The place in the candidates.
    pub index: usize,
    /// Whether the rules could not tell.
    pub unsure: bool,
}

/// Chooses among `candidates`, of which the latest comes first and kref_init()'s last.
pub fn choose(
    put: Id,
    thread: u32,
    candidates: impl Iterator<Item = Candidate> + Clone,
    code: &Code,
    distances: &Distances,
) -> Option<Choice> {
    let mut others = candidates.clone();
    let first = others.next()?;
    if others.next().is_none() {
        return Some(Choice { index: 0, unsure: false });
    }
    let one_stack = candidates.clone().all(|other| other.stack == first.stack);
    let mut best: Option<(u64, usize, Candidate)> = None;
    let mut rivals = false;
    for (index, candidate) in candidates.enumerate() {
        let rank = rank(put, thread, candidate, code, distances);
        match best {
            Some((least, _, chosen)) if rank == least => {
                rivals |= candidate.stack != chosen.stack;
                // The later one wins, unless kref_init() made the other.
                if candidate.is_first {
                    best = Some((rank, index, candidate));
                }
            }
            Some((least, ..)) if rank > least => {}
            _ => {
                rivals = false;
                best = Some((rank, index, candidate));
            }
        }
    }
    let (rank, index, _) = best?;
    let unrelated = common(rank) == NOTHING;
    Some(Choice { index, unsure: !one_stack && (rivals || unrelated) })
}

/// Rules 3 to 6 as one number.
fn rank(put: Id, thread: u32, candidate: Candidate, code: &Code, distances: &Distances) -> u64 {
    let mut distance = distances.between(put, candidate.stack, code);
    let same_thread = candidate.thread == thread;
    if code.get(candidate.stack).is_some_and(|stack| stack.leading(code).for_thread) {
        if same_thread {
            distance |= 1 << 30;
        } else if distance >> 24 == NOTHING {
            distance = 0;
        }
    }
    u64::from(distance) << 1 | u64::from(!same_thread)
}

fn common(rank: u64) -> u32 {
    (rank >> 25) as u32 & NOTHING
}

impl Distances {
    /// [`measure`], remembered.
    fn between(&self, put: Id, get: Id, code: &Code) -> Distance {
        let key = u64::from(put) << 32 | u64::from(get);
        let slot = (u64::from(put).wrapping_mul(0x9e37_79b9).wrapping_add(get.into())) as usize;
        let slot = slot % REMEMBERED;
        let (known, distance) = self.0.borrow()[slot];
        if known == key && key != 0 {
            return distance;
        }
        let distance = match (code.get(put), code.get(get)) {
            (Some(_), Some(_)) => {
                measure(&identities(code.described(put)), &identities(code.described(get)))
            }
            _ => NOTHING << 24,
        };
        self.0.borrow_mut()[slot] = (key, distance);
        distance
    }
}

fn identities(frames: &[Frame]) -> Vec<u64> {
    frames.iter().map(|frame| frame.identity).collect()
}

/// Rules 4 to 6 as one number, for stacks whose innermost functions come first.
fn measure(put: &[u64], get: &[u64]) -> Distance {
    let nearest = put.iter().enumerate().find_map(|(outwards, function)| {
        get.iter().position(|other| other == function).map(|other| (outwards, other))
    });
    let Some((outwards, other)) = nearest else { return NOTHING << 24 };
    let callers = put[outwards..].iter().zip(&get[other..]).take_while(|(a, b)| a == b).count();
    let small = |number: usize| number.min(62) as u32;
    small(outwards) << 24 | small(outwards.abs_diff(other)) << 16 | (63 - small(callers)) << 8
}

#[cfg(test)]
mod tests {
    use super::{NOTHING, measure};

    const MAIN: u64 = 1;
    const MAKE: u64 = 2;
    const ARM: u64 = 3;
    const FIRE: u64 = 4;
    const SERVE: u64 = 5;

    #[test]
    fn the_own_function_is_nearest() {
        let put = [ARM, MAIN];
        assert!(measure(&put, &[ARM, MAIN]) < measure(&put, &[MAIN]));
        assert!(measure(&put, &[ARM, SERVE, MAIN]) > measure(&put, &[ARM, MAIN]));
    }

    #[test]
    fn a_pair_is_equally_far() {
        let put = [FIRE, MAIN];
        assert!(measure(&put, &[ARM, MAIN]) < measure(&put, &[MAIN]));
        assert!(measure(&put, &[ARM, MAIN]) < measure(&put, &[MAKE, ARM, MAIN]));
    }

    #[test]
    fn a_nearer_common_function_wins() {
        let put = [SERVE, MAIN];
        assert!(measure(&put, &[ARM, SERVE, MAIN]) < measure(&put, &[MAIN]));
    }

    #[test]
    fn strangers() {
        assert_eq!(measure(&[FIRE], &[ARM]) >> 24, NOTHING);
    }
}

//! The newest stacks of a thread. For each one, a log remembers how many function calls it shares with the stack before
//! it. A function call is shared if the function was called once for both stacks.
//!
//! The *place* of a stack is its number in the thread.

/// A log keeps this number of stacks.
const STACKS: usize = 1 << 13;
/// Places are less than this. After the largest one they start again at 0.
const PLACES: u32 = 1 << 31;
/// [`Log::skip`] skips this number of stacks in one step.
const ROW: usize = 32;

/// The number of steps from a place to a later place, also if the places start again at 0 between them.
pub fn distance(from: u32, to: u32) -> u32 {
    to.wrapping_sub(from) % PLACES
}

/// A function on the stack.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The function.
    pub function: u64,
    /// The address of its frame.
    pub frame: u64,
    /// The line, and the address of the call.
    pub position: (u32, u64),
}

impl Level {
    /// Whether the levels of two stacks are in the same call of a function. The caller knows that the thread has not
    /// returned from the function between the two stacks.
    pub fn is_same_call(&self, other: &Self) -> bool {
        self.function == other.function && self.frame == other.frame
    }
}

/// The newest stacks of a thread.
pub struct Log {
    /// The thread.
    pub thread: u32,
    /// The place of the next stack.
    next: u32,
    /// The numbers of the stacks, by the recorder.
    stacks: Box<[u32; STACKS]>,
    turns: Box<[Turn; STACKS]>,
}

impl Log {
    /// Creates the log of a thread, in the memory of another thread's log. The first place is so far behind the other
    /// thread's places that the new log keeps none of these.
    #[cold]
    pub fn new(thread: u32, other: Option<&Self>) -> Self {
        let next = other.map_or(0, |other| distance(0, other.next + STACKS as u32));
        Self { thread, next, stacks: Box::new([0; STACKS]), turns: Box::new([UNKNOWN; STACKS]) }
    }

    /// Adds a stack. Returns its place.
    #[inline]
    pub fn add(&mut self, recorded: u32) -> u32 {
        let place = self.next;
        self.stacks[index(place)] = recorded;
        self.turns[index(place)] = UNKNOWN;
        self.next = after(place);
        place
    }

    /// Whether a stack and all after it are kept.
    pub fn is_kept(&self, place: u32) -> bool {
        (1..=STACKS as u32).contains(&distance(place, self.next))
    }

    /// Adds to `seen` the stacks behind the place `from`, up to and with the place `to`. `get` has the levels of the
    /// get's stack; `levels` returns those of a stack by its number.
    pub fn walk<L: AsRef<[Level]>>(
        &mut self,
        from: u32,
        to: u32,
        get: &[Level],
        seen: &mut Seen,
        levels: impl Fn(u32) -> L,
    ) {
        let mut place = from;
        loop {
            if !seen.is_one_pass {
                // The innermost shared function has gone back already. Only its return can change the result.
                place = self.skip(place, to, Turn::least(seen.common));
            }
            if place == to {
                return;
            }
            let before = self.stacks[index(place)];
            place = after(place);
            let here = self.stacks[index(place)];
            let turn = &mut self.turns[index(place)];
            if *turn == UNKNOWN {
                *turn = Turn::of(levels(before).as_ref(), levels(here).as_ref());
            }
            seen.step(get, *turn, || levels(here));
        }
    }

    /// Skips the stacks behind `place` whose turn is `least` or more. Returns the place of the last one that it has
    /// skipped, which is `to` at most.
    fn skip(&self, mut place: u32, to: u32, least: Turn) -> u32 {
        while place != to {
            let first = index(after(place));
            let end = (first + distance(place, to) as usize).min(STACKS);
            let turns = &self.turns[first..end];
            let is_over = |row: &&[Turn]| row.iter().fold(LARGEST, |a, &b| a.min(b)) >= least;
            let rows = turns.chunks_exact(ROW).take_while(is_over).count() * ROW;
            let passed = rows + turns[rows..].iter().take_while(|&&turn| turn >= least).count();
            place = distance(0, place + passed as u32);
            if passed < turns.len() {
                break;
            }
        }
        place
    }
}

fn index(place: u32) -> usize {
    place as usize % STACKS
}

fn after(place: u32) -> u32 {
    (place + 1) % PLACES
}

/// What a stack shares with the stack before it: n function calls, counted from the outermost. The value is 2n + 2 if the
/// innermost shared function is at another line now, or has come to the same line again. The value is 2n + 1 if the innermost
/// shared function is where it was, and the stacks differ in the function that it has called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn(u16);

/// The value was not computed yet.
const UNKNOWN: Turn = Turn(0);
const LARGEST: Turn = Turn(u16::MAX);

impl Turn {
    fn of(before: &[Level], next: &[Level]) -> Self {
        let shortest = before.len().min(next.len());
        let Some(last) = shortest.checked_sub(1) else { return Self::least(0) };
        let at = (0..shortest).find(|&at| before[at] != next[at]).unwrap_or(last);
        let is_one_call = before[at].is_same_call(&next[at]);
        let Self(least) = Self::least(at + usize::from(is_one_call));
        Self(least + u16::from(is_one_call))
    }

    /// The smallest value with this number of shared function calls.
    fn least(common: usize) -> Self {
        Self(2 * common.min(usize::from(u16::MAX / 4)) as u16 + 1)
    }

    fn common(self) -> usize {
        usize::from(self.0 - 1) / 2
    }

    /// The level of the innermost shared function, if it is at another line now, or has come to the same line again.
    fn moved(self) -> Option<usize> {
        self.0.is_multiple_of(2).then(|| self.common() - 1)
    }
}

/// The number of function calls that two stacks share, counted from the outermost. The caller knows that the thread has
/// not returned from any of these functions between the two stacks.
pub fn common(before: &[Level], next: &[Level]) -> usize {
    Turn::of(before, next).common()
}

/// What the stack of a get shares with the later stacks of its thread.
pub struct Seen {
    /// The number of function calls that all of them share, counted from the outermost.
    pub common: usize,
    /// Whether the innermost shared function has only gone forward since the get: to later lines.
    pub is_one_pass: bool,
}

impl Seen {
    /// For a get without later stacks.
    pub fn new(get: &[Level]) -> Self {
        Self { common: get.len(), is_one_pass: true }
    }

    /// Adds the next stack of the thread.
    #[inline]
    fn step<L: AsRef<[Level]>>(&mut self, get: &[Level], turn: Turn, next: impl FnOnce() -> L) {
        if turn.common() < self.common {
            (self.common, self.is_one_pass) = (turn.common(), true);
        }
        if self.is_one_pass
            && turn.common() == self.common
            && let Some(at) = turn.moved()
        {
            let next = next();
            let both = next.as_ref().get(at).zip(get.get(at));
            self.is_one_pass = both.is_some_and(|(next, get)| next.position > get.position);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stacks of a thread that calls and returns, by an even mixture.
    fn stacks(count: usize) -> Vec<Vec<Level>> {
        let mut seed = 1_u64;
        let mut below = |most: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % most
        };
        let mut stack = vec![Level { function: 1, frame: 9000, position: (1, 0) }];
        let mut all = Vec::new();
        for _ in 0..count {
            // Seldom far down.
            let left = stack.len() as u64;
            stack.truncate((left - below(left).min(below(left)).min(below(left))) as usize);
            let last = stack.len() - 1;
            stack[last].position = (below(9) as u32, 0);
            for _ in 0..below(3) {
                let frame = 9000 - 100 * stack.len() as u64 - below(2);
                stack.push(Level { function: below(3), frame, position: (below(9) as u32, 0) });
            }
            all.push(stack.clone());
        }
        all
    }

    /// The same, stack after stack.
    fn plainly(stacks: &[Vec<Level>], from: usize, to: usize) -> (usize, bool) {
        let get = &stacks[from];
        let (mut common, mut is_one_pass) = (get.len(), true);
        for pair in stacks[from..=to].windows(2) {
            let (before, next) = (&pair[0], &pair[1]);
            let shortest = before.len().min(next.len());
            let at = (0..shortest).find(|&at| before[at] != next[at]).unwrap_or(shortest - 1);
            let is_one_call = before[at].is_same_call(&next[at]);
            let now = at + usize::from(is_one_call);
            if now < common {
                (common, is_one_pass) = (now, true);
            }
            if is_one_call && now == common && next[at].position <= get[at].position {
                is_one_pass = false;
            }
        }
        (common, is_one_pass)
    }

    #[test]
    fn each_two_of_a_thread() {
        let stacks = stacks(400);
        // The places begin again in the middle.
        let mut log = Log { next: PLACES - 200, ..Log::new(7, None) };
        let places: Vec<_> = (0..400).map(|recorded| log.add(recorded)).collect();
        let levels = |recorded: u32| &stacks[recorded as usize];
        let mut kinds = [0; 2];
        for from in 0..400 {
            let mut seen = Seen::new(levels(from));
            let mut known = from;
            // As for the puts of one get: some of the places, each from the last one.
            for to in (from..400).step_by(1 + from as usize % 70) {
                let [a, b] = [known, to].map(|at| places[at as usize]);
                log.walk(a, b, levels(from), &mut seen, levels);
                known = to;
                let wanted = plainly(&stacks, from as usize, to as usize);
                assert_eq!((seen.common, seen.is_one_pass), wanted, "{from} to {to}");
                kinds[usize::from(seen.is_one_pass)] += 1;
            }
        }
        assert!(kinds.iter().all(|&kind| kind > 1000), "{kinds:?}");
    }

    #[test]
    fn what_is_kept() {
        let mut log = Log::new(7, None);
        let first = log.add(1);
        assert!(log.is_kept(first) && !log.is_kept(after(first)));
        (1..STACKS).for_each(|_| _ = log.add(2));
        assert!(log.is_kept(first));
        log.add(2);
        assert!(!log.is_kept(first) && log.is_kept(after(first)));
        // Another thread's log, in the same memory: nothing of the first is in it.
        let other = Log::new(8, Some(&log));
        assert!((0..STACKS as u32 + 1).all(|place| !other.is_kept(place)));
    }
}

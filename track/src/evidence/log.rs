//! The last stacks of a thread, and what each has in common with the one before it.

/// So many stacks are kept.
const STACKS: usize = 1 << 13;
/// A place is less than this: the places of a thread begin again.
const PLACES: u32 = 1 << 31;
/// So many stacks are passed over together.
const ROW: usize = 32;

/// How many places it is from one to a later one.
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
    /// Whether both are in one call of a function, if the thread has not left the function in between.
    pub fn is_same_call(&self, other: &Self) -> bool {
        self.function == other.function && self.frame == other.frame
    }
}

/// The last stacks of a thread.
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
    /// The log of a thread. It takes the place of another thread's: no place of the other thread is near one of this.
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

    /// What a get has in common with all up to a place, if it is known up to an earlier one. `levels` has the functions
    /// of a stack.
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
                // A loop has turned. Only the end of a call matters now.
                place = self.pass_over(place, to, Turn::least(seen.common));
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

    /// Passes over all behind a place that are at least `least`, up to another place.
    fn pass_over(&self, mut place: u32, to: u32, least: Turn) -> u32 {
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

/// What two stacks of a thread, one after the other, have in common. Of n functions, from the outermost, that were called
/// once for both: 2n + 2 if the last of them is at another line now, or at the same again; or else 2n + 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn(u16);

/// Nobody has asked yet.
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

    /// The least one with so many functions.
    fn least(common: usize) -> Self {
        Self(2 * common.min(usize::from(u16::MAX / 4)) as u16 + 1)
    }

    fn common(self) -> usize {
        usize::from(self.0 - 1) / 2
    }

    /// The level of the function that is at another call now, or at the same again.
    fn moved(self) -> Option<usize> {
        self.0.is_multiple_of(2).then(|| self.common() - 1)
    }
}

/// So many functions, from the outermost, were called once for two stacks, if the thread has left none in between.
pub fn common(before: &[Level], next: &[Level]) -> usize {
    Turn::of(before, next).common()
}

/// What a get has in common with all that came after it.
pub struct Seen {
    /// So many functions, from the outermost, were called once for all.
    pub common: usize,
    /// Whether the innermost of these has not gone back.
    pub is_one_pass: bool,
}

impl Seen {
    /// A get, and nothing behind it.
    pub fn new(get: &[Level]) -> Self {
        Self { common: get.len(), is_one_pass: true }
    }

    /// The next stack of the thread.
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

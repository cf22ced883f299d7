//! A call that is inside the recorder.

use core::sync::atomic::Ordering::Relaxed;

use super::{LEVELS, Level, State, begin};
use crate::own::{Own, own};
use crate::{process, session};

/// Being inside. When the guard is dropped, the thread is outside again, or in the call that was interrupted.
pub struct Guard {
    pub(super) state: Option<&'static State>,
    pub(super) level: Option<&'static Level>,
    /// How many calls this one has interrupted.
    pub(super) depth: u32,
    pub(super) epoch: u64,
    /// The thread's number in the session.
    pub number: u32,
    /// The process's number in the session.
    pub process: u32,
    /// The index of the thread's ring.
    pub ring: u32,
}

impl Guard {
    /// Of a thread that is not inside.
    pub const fn outside() -> Self {
        Self { state: None, level: None, depth: LEVELS, epoch: 0, number: 0, process: 0, ring: 0 }
    }

    /// Of a thread that has begun.
    pub(super) fn new(own: &Own) -> Self {
        let mut guard = Self::outside();
        guard.know(own);
        guard
    }

    #[inline]
    fn know(&mut self, own: &Own) {
        self.number = own.number.load(Relaxed);
        self.process = own.process.load(Relaxed);
        self.ring = own.ring.load(Relaxed);
    }

    /// Does what [`super::enter`] does, in a guard that the caller has: to move a guard costs more than the rest of
    /// the entry.
    #[inline(always)]
    pub fn enter(&mut self, frame: u64) -> bool {
        if session::head().is_none() {
            return false;
        }
        let own = own();
        let process = process::number();
        if (process == 0 || own.process.load(Relaxed) != process) && !begin(own) {
            return false;
        }
        self.know(own);
        // SAFETY: null, or a state of this thread, which stays mapped.
        let state = unsafe { own.state.load(Relaxed).as_ref() };
        if let Some(state) = state {
            state.enter(frame, self);
        }
        true
    }

    /// Whether no other call of the recorder was interrupted.
    pub fn is_outermost(&self) -> bool {
        self.depth == 0
    }

    /// Whether too many handlers have interrupted each other for a walk.
    pub fn is_deep(&self) -> bool {
        self.state.is_some() && self.level.is_none()
    }

    /// The thread's state.
    #[inline]
    pub fn state(&self) -> Option<&'static State> {
        self.state
    }

    /// This call's level.
    #[inline]
    pub fn level(&self) -> Option<&'static Level> {
        self.level
    }

    /// Whether a level, which was this call's, still is.
    #[inline]
    pub fn owns(&self, level: &Level) -> bool {
        level.epoch.load(Relaxed) == self.epoch
    }

    /// Whether this is the process in which the call began, and not a fork's child.
    pub fn is_in_process(&self) -> bool {
        process::number() == self.process
    }

    /// Whether this call still has its level. Not in a fork's child, and not if another call has taken the level.
    #[inline]
    pub fn is_valid(&self) -> bool {
        match self.level {
            Some(level) => self.owns(level),
            None => self.is_in_process(),
        }
    }

    /// Gives up the records of the calls that this one has interrupted. So the judge, for which this call is about to
    /// wait, does not wait for them.
    #[cold]
    pub fn let_go_of_records(&self) {
        if let Some(state) = self.state {
            let levels = state.levels.iter().take(self.depth as usize);
            levels.for_each(|level| level.journal.repair(self));
        }
    }

    /// Goes on without a level, in the process that this is now.
    #[cold]
    pub fn renew(&mut self) -> bool {
        let own = own();
        if process::number() != own.process.load(Relaxed) && !begin(own) {
            return false;
        }
        *self = Self::new(own);
        true
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        if let (Some(state), Some(level)) = (self.state, self.level)
            && self.owns(level)
        {
            state.level.store(self.depth, Relaxed);
        }
    }
}

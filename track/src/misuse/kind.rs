//! The kinds of misuse.

use crate::code::{Code, Id};
use crate::object::{Act, Object, PERCPU};

/// The kinds. Their names are what format=json calls them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A get on a released object.
    GetAfterRelease,
    /// A put on a released object.
    PutAfterRelease,
    /// One of these.
    UseAfterRelease,
    /// kref_init() on a live object, elsewhere than the first one.
    InitTwice,
    /// kref_init() on a live object by the line that made the first one.
    FreeAlive,
    /// free() of an object that is referenced.
    FreedWhileHeld,
    /// free() of an object that only its creator ever had a reference on.
    FreedUnshared,
    /// realloc() has moved an object on which others than its caller have references.
    MovedWhileHeld,
    /// A write into the memory of a released object.
    WriteAfterRelease,
    /// A put by a holder who holds nothing.
    WrongHolder,
    /// A get on a released object that nothing tracked.
    GetOnZero,
    /// A lookup by kref_get_unless_zero() that finds the count of a released object in memory that was freed.
    LookupAfterFree,
    /// A put on a released object that nothing tracked.
    PutOnZero,
    /// A get or put on a count that nobody has initialised.
    NeverInitialised,
    /// A get or put on memory that looks like a tracked count, where the tracker knows no object.
    NoObject,
    /// More references than a count can hold.
    Overflow,
    /// As many references on one object as --watermark says.
    Watermark,
    /// kref_count_dec() took the last reference.
    DecToZero,
    /// The count of a live object is none any more.
    Overwritten,
    /// The last put, by a thread that is in kref_lookup_mutex().
    EndInLookup,
    /// The last put, with the release function of another type's objects.
    OtherRelease,
    /// kref_pool_publish() of an object that is referenced already.
    BadPublish,
    /// kref_pool_free() of an object that is referenced, or was freed before.
    BadFree,
    /// kref_pool_destroy() while an object is referenced: this is the first one.
    PoolInUse,
    /// Another object begins where a percpu_ref was, without percpu_ref_exit().
    NoExit,
    /// percpu_ref_kill() of a percpu_ref that was killed.
    KilledTwice,
    /// percpu_ref_put() where only the initial reference is held.
    PutOfInitial,
    /// percpu_ref_exit() of a percpu_ref that is referenced.
    ExitWhileAlive,
    /// percpu_ref_resurrect(), _reinit() or _switch_to_percpu() of a percpu_ref that does not allow it now.
    BadReinit,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 29] = [
        Self::GetAfterRelease,
        Self::PutAfterRelease,
        Self::UseAfterRelease,
        Self::InitTwice,
        Self::FreeAlive,
        Self::FreedWhileHeld,
        Self::FreedUnshared,
        Self::MovedWhileHeld,
        Self::WriteAfterRelease,
        Self::WrongHolder,
        Self::GetOnZero,
        Self::LookupAfterFree,
        Self::PutOnZero,
        Self::NeverInitialised,
        Self::NoObject,
        Self::Overflow,
        Self::Watermark,
        Self::DecToZero,
        Self::Overwritten,
        Self::EndInLookup,
        Self::OtherRelease,
        Self::BadPublish,
        Self::BadFree,
        Self::PoolInUse,
        Self::NoExit,
        Self::KilledTwice,
        Self::PutOfInitial,
        Self::ExitWhileAlive,
        Self::BadReinit,
    ];

    /// For machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetAfterRelease => "get-after-release",
            Self::PutAfterRelease => "put-after-release",
            Self::UseAfterRelease => "use-after-release",
            Self::InitTwice => "init-twice",
            Self::FreeAlive => "free-alive",
            Self::FreedWhileHeld => "freed-while-held",
            Self::FreedUnshared => "freed-unshared",
            Self::MovedWhileHeld => "moved-while-held",
            Self::WriteAfterRelease => "write-after-release",
            Self::WrongHolder => "holder",
            Self::GetOnZero => "get-on-zero",
            Self::LookupAfterFree => "lookup-after-free",
            Self::PutOnZero => "put-on-zero",
            Self::NeverInitialised => "never-initialised",
            Self::NoObject => "no-object",
            Self::Overflow => "overflow",
            Self::Watermark => "watermark",
            Self::DecToZero => "dec-to-zero",
            Self::Overwritten => "overwritten",
            Self::EndInLookup => "end-in-lookup",
            Self::OtherRelease => "other-release",
            Self::BadPublish => "bad-publish",
            Self::BadFree => "bad-free",
            Self::PoolInUse => "pool-in-use",
            Self::NoExit => "no-exit",
            Self::KilledTwice => "killed-twice",
            Self::PutOfInitial => "put-of-initial",
            Self::ExitWhileAlive => "exit-while-alive",
            Self::BadReinit => "bad-reinit",
        }
    }

    /// Whether it is perhaps no mistake. More references than the tracker can count are none, and a constructor may
    /// free what nobody else has seen.
    pub fn is_note(self) -> bool {
        matches!(self, Self::Overflow | Self::FreedUnshared | Self::OtherRelease)
    }

    /// Whether a put is wrong, this one or one before it.
    pub fn is_put(self) -> bool {
        matches!(
            self,
            Self::PutAfterRelease
                | Self::GetAfterRelease
                | Self::UseAfterRelease
                | Self::PutOfInitial
                | Self::FreedWhileHeld
        )
    }

    /// For people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::GetAfterRelease => "get on a released object",
            Self::PutAfterRelease => "put on a released object",
            Self::UseAfterRelease => "get or put on a released object",
            Self::InitTwice => "kref_init() on an object that is referenced: initialised twice",
            Self::FreeAlive => {
                "kref_init() where an object is still referenced: it was freed or reused without a put"
            }
            Self::FreedWhileHeld => "free() of an object that is still referenced",
            Self::FreedUnshared => {
                "note: free() of an object without a put, while only its creator has a reference: a constructor that \
                 failed?"
            }
            Self::MovedWhileHeld => {
                "realloc() has moved an object to which others have references: their pointers are wrong now"
            }
            Self::WriteAfterRelease => {
                "write into the memory of an object after its release and its free()"
            }
            Self::WrongHolder => "put by a holder that holds nothing",
            Self::GetOnZero => {
                "get on a count of zero: an object that began untracked (by KREF_INIT(), for example) was released"
            }
            Self::PutOnZero => {
                "put on a count of zero: an object that began untracked (by KREF_INIT(), for example) was released"
            }
            Self::LookupAfterFree => {
                "kref_get_unless_zero() on an object that was released and freed: nothing kept its memory"
            }
            Self::NeverInitialised => "get or put on a count that was never initialised",
            Self::NoObject => {
                "get or put where no object is: the count was copied from another object, or the object was moved"
            }
            Self::Overflow => {
                "too many references: more than 4,000,000 on one object are more than the tracker can count"
            }
            Self::Watermark => "an object has as many references as --watermark says",
            Self::DecToZero => {
                "a decrement took the last reference, and nobody released the object"
            }
            Self::Overwritten => "the count of a referenced object was overwritten",
            Self::EndInLookup => {
                "the last reference was dropped inside kref_lookup_mutex(), with its mutex held"
            }
            Self::OtherRelease => {
                "note: the last put, with a release function that ends objects of another constructor, and not those of \
                 this one"
            }
            Self::BadPublish => {
                "kref_pool_publish() of an object whose count was touched before: the object leaks"
            }
            Self::BadFree => {
                "kref_pool_free() of an object that is referenced or free: nothing was freed"
            }
            Self::PoolInUse => {
                "kref_pool_destroy() while an object is referenced: nothing was freed"
            }
            Self::NoExit => "a percpu_ref was freed or reused without percpu_ref_exit()",
            Self::KilledTwice => {
                "percpu_ref_kill() of a percpu_ref that was killed already: nothing was done"
            }
            Self::PutOfInitial => {
                "percpu_ref_put() of a percpu_ref that was not killed, and on which nobody holds a reference but its \
                 creator: one put too many, or a put in the place of percpu_ref_kill()"
            }
            Self::ExitWhileAlive => {
                "percpu_ref_exit() while references are held: nothing was freed"
            }
            Self::BadReinit => {
                "percpu_ref_resurrect(), _reinit() or _switch_to_percpu() of a percpu_ref that was not killed, is \
                 still referenced, or was initialised without PERCPU_REF_ALLOW_REINIT"
            }
        }
    }

    /// Two objects at one address: the line that made both has no reason to do it twice to one object,
    /// so the memory came to it again; another line has.
    pub fn created_again(before: &Object, by: Act, code: &Code) -> Self {
        if before.is(PERCPU) {
            return Self::NoExit;
        }
        let place = |id: Id| {
            let frame = code.described(id).first()?;
            let offset = if frame.line == 0 { frame.offset } else { 0 };
            Some((frame.identity, frame.line, offset)) // one line may be inlined in several places
        };
        if place(before.created().stack) == place(by.stack) {
            Self::FreeAlive
        } else {
            Self::InitTwice
        }
    }
}

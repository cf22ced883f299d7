//! percpu_refs. Their gets and puts are those of any object. Their lives are not: the last put does not end a
//! percpu_ref. percpu_ref_exit() does.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;
use wire::record::percpu::{EXIT, INIT, KILL, LET_GO, REVIVE};

use crate::chronicle::{self, Line};
use crate::event::{self, Happened};
use crate::held::{Held, UNRECORDED};
use crate::misuse;
use crate::names::NONE;
use crate::object::{Act, FIRST, LOST, Object, PERCPU};
use crate::process::Process;
use crate::table::Table;
use crate::world::World;

/// The holder of the reference that percpu_ref_init() takes and percpu_ref_kill() gives back: libkref's name for it.
pub const INITIAL: &str = "the initial reference";

/// What happens to a percpu_ref beside its gets and puts.
pub fn apply(world: &World, process: &mut Process, event: &Happened) {
    if event.count == INIT {
        return create(world, process, event);
    }
    let Some(at) = process.table.find(event.address) else { return };
    let serial = process.table.object(at).serial();
    let act = match event.count {
        KILL => {
            process.killed.note(serial, event.by);
            "killed"
        }
        REVIVE => {
            process.killed.forget(serial);
            process.table.revive(at);
            "revived"
        }
        EXIT => {
            process.killed.forget(serial);
            process.table.exit(at, event.by);
            "exited"
        }
        LET_GO if process.table.object(at).is(PERCPU) => {
            return process.table.object_mut(at).set(LOST, true);
        }
        LET_GO => return misuse::let_go(world, process, event),
        _ => return,
    };
    let held = process.table.held(process.table.object(at)).map(|held| held.count).sum();
    chronicle::note(world, process, serial, &Line::new(act, event.by, event.time, held));
}

/// Who killed each percpu_ref that is killed, by the number of the object.
#[derive(Default, Clone)]
pub struct Killed(HashMap<u64, Act, FxBuildHasher>);

impl Killed {
    /// The most killed percpu_refs that are kept at a time. The reports of others do not show who killed them.
    const MOST: usize = 1 << 14;

    fn note(&mut self, serial: u64, by: Act) {
        if self.0.len() < Self::MOST {
            self.0.insert(serial, by);
        }
    }

    fn forget(&mut self, serial: u64) {
        self.0.remove(&serial);
    }

    /// Who killed this one, if it is killed.
    pub fn get(&self, serial: u64) -> Option<Act> {
        self.0.get(&serial).copied()
    }
}

/// Whether a put by nobody in particular gives back the initial reference of a percpu_ref, because no other one is
/// held. percpu_ref_kill() names the reference that it gives back.
pub fn is_put_of_initial(world: &World, table: &Table, object: &Object, put: &Happened) -> bool {
    let is_initial = |held: Held| world.code.names.get(held.holder) == Some(INITIAL);
    object.is(PERCPU)
        && put.name == NONE
        && table.held(object).next().is_some()
        && table.held(object).all(is_initial)
        && table.doubts(object, UNRECORDED) == 0
        && !table.is_inherited(object)
        && !world.is_doubtful(object.created())
}

/// Whether a Released record of a percpu_ref is of an earlier life. A thread may revive the percpu_ref while another
/// one is still in the last put. The count was zero then, and each put was recorded before: so who holds a reference has
/// taken it in the later life.
pub fn has_revived(world: &World, table: &Table, object: &Object) -> bool {
    object.is(PERCPU) && !world.is_doubtful(object.created()) && table.held(object).next().is_some()
}

fn create(world: &World, process: &mut Process, event: &Happened) {
    let begin = Happened { count: 0, ..*event };
    let Some(at) = event::create(world, process, &begin) else { return };
    let release = process.function(event.detail, &world.code);
    let object = process.table.object_mut(at);
    object.release = release;
    object.set(PERCPU, true);
    object.set(FIRST, false); // its get follows
    if let Some(created) = world.code.get(object.created().stack) {
        created.release.set(release);
    }
}

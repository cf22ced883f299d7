//! percpu_refs. Their gets and puts are those of any object. Their lives are not: the last put does not end a
//! percpu_ref. percpu_ref_exit() does.

use wire::record::percpu::{EXIT, INIT, KILL, LET_GO, REVIVE};

use crate::chronicle::{self, Line};
use crate::event::{self, Happened};
use crate::misuse;
use crate::object::{FIRST, LOST, Object, PERCPU};
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
    let serial = process.table.object(at).serial;
    let act = match event.count {
        KILL => "killed",
        REVIVE => {
            process.table.revive(at);
            "revived"
        }
        EXIT => {
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

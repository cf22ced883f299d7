//! What a write costs, and how many lookups it takes to pay for it.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use crate::c::Loops;
use crate::contender::{Contender, Threads, cores, stay_on};
use crate::pace::Pace;
use crate::table::{median, median_ratio};

/// How an object may be published and replaced, with the name of the functions in writers.c.
const WAYS: [(&str, &str); 3] =
    [("mutex by hand", "mutex"), ("kref_slot", "slot"), ("percpu_ref_slot", "percpu_slot")];

/// Another kind of write, of one thread at a time.
const MORTAL: (&str, &str) = ("kill + resurrect", "mortal");

/// What the figures are.
pub const LEGEND: &str = "\
A write publishes a new object and gives the old one back: to percpu_ref_slot by percpu_ref_kill().
Other threads take and give back references all the while, the first of them on a core of its own. In
brackets the mean: waiting for a core is in it.
even at: so many lookups for each write cost as much as under the mutex.
";

/// Writes that are timed together: few, so that most batches have the core to themselves.
const BATCH: u64 = 50;

/// The cost of a write in microseconds, while so many other threads read.
pub fn costs(loops: Loops, pace: Pace) -> String {
    let cores = cores().len();
    let mut text = format!("{:33}", "microseconds for a write");
    let ways = || WAYS.into_iter().chain([MORTAL]);
    ways().for_each(|way| _ = write!(text, "{:>20}", way.0));
    for readers in [0, 1, cores, 4 * cores] {
        let _ = write!(text, "\n{:33}", format!("threads that read: {readers}"));
        for (_, function) in ways() {
            let (usual, mean) = cost(loops, function, readers, pace.of(400));
            let _ = write!(text, "{:>20}", format!("{usual:.2} ({mean:.1})"));
        }
    }
    text + "\n"
}

/// The median of the batches, and the mean, which has the time in it for which the others had the
/// core.
fn cost(loops: Loops, function: &str, readers: usize, batches: usize) -> (f64, f64) {
    let read = loops.function(&format!("{function}_read"));
    let mixed = loops.mixed(&format!("{function}_mixed"));
    let (cores, stop) = (cores(), &AtomicBool::new(false));
    let progress: &Vec<_> = &(0..readers).map(|_| Progress::default()).collect();
    let has_read = |reader: usize| progress[reader].0.load(SeqCst);
    thread::scope(|scope| {
        // The first reader has a core of its own, if there is one.
        let places = cores[1..].iter().chain(&cores[..1]).cycle();
        for (reader, &core) in places.take(readers).enumerate() {
            scope.spawn(move || {
                stay_on(core);
                while !stop.load(SeqCst) {
                    read(10);
                    progress[reader].0.fetch_add(1, SeqCst);
                }
            });
        }
        let writer = scope.spawn(|| {
            stay_on(cores[0]);
            while (0..readers).any(|reader| has_read(reader) == 0) {
                thread::yield_now();
            }
            let batch = |_| {
                let first = || progress.iter().step_by(cores.len()).map(|of| of.0.load(SeqCst));
                let before: u64 = first().sum();
                let start = Instant::now();
                mixed(BATCH, 0);
                let time = start.elapsed().as_secs_f64() * 1e6 / BATCH as f64;
                // Not if another program had the readers' core.
                (readers == 0 || first().sum::<u64>() > before).then_some(time)
            };
            // Enough is enough, on a machine that has no time.
            (0..20 * batches).filter_map(batch).take(batches).collect::<Vec<f64>>()
        });
        let times = writer.join().expect("no loop panics");
        stop.store(true, SeqCst);
        if times.is_empty() {
            return (f64::NAN, f64::NAN);
        }
        let mean = times.iter().sum::<f64>() / times.len() as f64;
        (median(times), mean)
    })
}

/// How far a reader has come.
#[derive(Default)]
#[repr(align(128))]
struct Progress(AtomicU64);

const LOOKUPS: [u64; 8] = [1, 3, 10, 30, 100, 300, 1000, 3000];

/// Lookups in a round, or nearly so.
const LOOKUPS_A_ROUND: u64 = 6_000;

/// What a lookup costs with its share of the writes, as a ratio to a mutex by hand, by the lookups
/// for each write; and where the ratio is one.
pub fn crossover(loops: Loops, pace: Pace) -> String {
    let mut text = String::new();
    for (threads, name) in [(Threads::One, "one thread"), (Threads::on_each_core(), "each core")] {
        let _ = write!(text, "{:33}", format!("lookups for a write, {name}"));
        LOOKUPS.iter().for_each(|lookups| _ = write!(text, "{lookups:>8}"));
        let _ = writeln!(text, "{:>12}", "even at");
        let rows = LOOKUPS.map(|lookups| shares(loops, lookups, &threads, pace));
        let first = rows.iter().map(|row| format!("{:>8.0}", row[0])).collect::<String>();
        let _ = writeln!(text, "{:33}{first}", "mutex by hand, ns");
        for way in 1..WAYS.len() {
            let ratios = rows.each_ref().map(|row| row[way]);
            let row = ratios.iter().map(|ratio| format!("{ratio:>8.2}")).collect::<String>();
            let _ = writeln!(text, "{:33}{row}{:>12}", WAYS[way].0, even_at(&ratios));
        }
    }
    text
}

/// The mutex's nanoseconds for an operation, and the ratios of the others to it.
fn shares(loops: Loops, lookups: u64, threads: &Threads, pace: Pace) -> [f64; WAYS.len()] {
    let contenders = WAYS.map(|(name, function)| {
        let mixed = loops.mixed(&format!("{function}_mixed"));
        Contender::new(name, move |operations| mixed(operations / (lookups + 1), lookups))
    });
    let writes = LOOKUPS_A_ROUND.div_ceil(lookups).min(100);
    let mut times = WAYS.map(|_| vec![]);
    for _ in 0..pace.of(100) {
        for (contender, times) in contenders.iter().zip(&mut times) {
            times.push(contender.nanoseconds(writes * (lookups + 1), threads));
        }
    }
    std::array::from_fn(|way| match way {
        0 => median(times[0].clone()),
        _ => median_ratio(&times[way], &times[0]),
    })
}

/// Where the ratio falls below one: how many lookups there must be for each write.
fn even_at(ratios: &[f64; LOOKUPS.len()]) -> String {
    let Some(above) = ratios.iter().rposition(|&ratio| ratio >= 1.0) else {
        return format!("< {}", LOOKUPS[0]);
    };
    let below = above + 1;
    if below == LOOKUPS.len() {
        return format!("> {}", LOOKUPS[above]);
    }
    // On a straight line between the two, where both scales are logarithmic.
    let [high, low] = [ratios[above], ratios[below]].map(f64::ln);
    let [few, many] = [LOOKUPS[above], LOOKUPS[below]].map(|lookups| (lookups as f64).ln());
    format!("{:.0}", (few + (many - few) * high / (high - low)).exp())
}

//! Random operations on a pool, in one thread or in two at the same time, against a model.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/pool/model.rs"]
mod model;

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((threads, operations)) if threads % 2 == 0 => model::run(operations),
        Some((_, operations)) => model::run_concurrently(operations),
        None => {}
    }
});

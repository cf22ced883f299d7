//! Faults that a C program of c-tests must find.

use crate::models::{MODE, Mutant, WORD};

const X86_64: &str = "src/rseq/x86_64.rs";
const AREA: &str = "src/rseq/area.rs";
const LINE: &str = "src/sys/line.rs";
const COUNTERS: &str = "src/percpu/counters.rs";

pub const PROGRAMS: &[Mutant] = &[
    // A thread keeps the pointer to a descriptor in a library that is unloaded.
    Mutant {
        file: X86_64,
        source: "\"lock inc dword ptr [{object}]\", // the commit\n                \"3:\",\n                leave!(),",
        mutated: "\"lock inc dword ptr [{object}]\", \"3:\",",
        test: "rseq/run-left",
        failure: "rseq_area() + 8",
    },
    // A thread that was preempted goes on in its sequence.
    Mutant {
        file: X86_64,
        source: "\"mov fs:[{area} + 8], {scratch}\\n\",",
        mutated: "\"nop\\n\",",
        test: "rseq/run-stepped",
        failure: "restarts > 10",
    },
    Mutant {
        file: AREA,
        source: "errno::preserved(|| unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) })",
        mutated: "(unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) })",
        test: "rseq/run-membarrier-refused",
        failure: "errno == UNTOUCHED",
    },
    Mutant {
        file: AREA,
        source: "|| membarrier(REGISTER_PRIVATE_EXPEDITED_RSEQ) && membarrier(PRIVATE_EXPEDITED_RSEQ)",
        mutated: "",
        test: "rseq/run-membarrier-refused",
        failure: "fences == FENCES",
    },
    Mutant {
        file: LINE,
        source: "libc::EINTR => {}",
        mutated: "libc::EINTR => break,",
        test: "violations/run-interrupted-line",
        failure: "lines(said) == 1",
    },
    Mutant {
        file: WORD,
        source: "fn get(&self, n: usize) -> Result<(), ViolationKind> {\n        if n > MOST {",
        mutated: "fn get(&self, n: usize) -> Result<(), ViolationKind> { if false {",
        test: "percpu/run-overflow",
        failure: "told.times == 1",
    },
    Mutant {
        file: COUNTERS,
        source: ".filter(|sum| is_a_count(*sum))",
        mutated: "",
        test: "percpu/run-overflow",
        failure: "told.times == 1",
    },
    Mutant {
        file: MODE,
        source: "confirm.filter(|_| *whole != Err(ViolationKind::NotFenced))",
        mutated: "confirm",
        test: "rseq/run-membarrier-refused",
        failure: "not so: !ref",
    },
    Mutant {
        file: MODE,
        source: "self.drop_counters(data);\n                if let Some(data)",
        mutated: "if let Some(data)",
        test: "percpu/run-memory",
        failure: "chunks == all",
    },
    // A chunk that was full once stays out of the list.
    Mutant {
        file: COUNTERS,
        source: "if was_full {\n                    Chunk::link(chunk, list);",
        mutated: "if false {",
        test: "percpu/run-memory",
        failure: "chunks == all",
    },
];

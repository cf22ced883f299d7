//! The table of mutants that a C program of c-tests must find. `model` is the program.

use crate::models::Mutant;

const X86_64: &str = "src/rseq/x86_64.rs";
const LINE: &str = "src/sys/line.rs";

pub const PROGRAMS: &[Mutant] = &[
    // A thread keeps the pointer to a descriptor in a library that is unloaded.
    Mutant {
        file: X86_64,
        source: "\"lock inc dword ptr [{object}]\", // the commit\n                \"3:\",\n                leave!(),",
        weakened: "\"lock inc dword ptr [{object}]\", \"3:\",",
        model: "rseq/run-left",
        failure: "rseq_area() + 8",
    },
    Mutant {
        file: X86_64,
        source: "errno::preserved(|| unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) })",
        weakened: "(unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) })",
        model: "rseq/run-membarrier-refused",
        failure: "errno == UNTOUCHED",
    },
    Mutant {
        file: X86_64,
        source: "|| membarrier(REGISTER_PRIVATE_EXPEDITED_RSEQ) && membarrier(PRIVATE_EXPEDITED_RSEQ)",
        weakened: "",
        model: "rseq/run-membarrier-refused",
        failure: "fences == FENCES",
    },
    Mutant {
        file: LINE,
        source: "libc::EINTR => {}",
        weakened: "libc::EINTR => break,",
        model: "violations/run-interrupted-line",
        failure: "lines(said) == 1",
    },
];

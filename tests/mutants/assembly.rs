//! The orderings that the sequences of weakly ordered processors ask for. herd7 knows these processors' memory
//! models, and loom does not: so each ordering has a litmus test in models/, with a twin that lacks it.

pub struct Orderings {
    pub file: &'static str,
    /// What the instruction begins with.
    pub instruction: &'static str,
    /// The litmus test of each place in the file, from the first to the last.
    pub litmus: &'static [&'static str],
    /// The change that makes the litmus test fail: the instruction without its ordering.
    pub twin: &'static str,
}

const AARCH64: &str = "src/rseq/aarch64.rs";
const AARCH64_C: &str = "include/kref/rseq/aarch64.h";
const RISCV64: &str = "src/rseq/riscv64.rs";
const RISCV64_C: &str = "include/kref/rseq/riscv64.h";

pub const ORDERINGS: &[Orderings] = &[
    Orderings {
        file: AARCH64,
        instruction: "\"ldar ",
        litmus: &["aarch64-slot", "aarch64-percpu-slot", "aarch64-percpu-get"],
        twin: "LDAR -> LDR",
    },
    Orderings {
        file: AARCH64,
        instruction: "\"stlr ",
        litmus: &["aarch64-percpu-put"],
        twin: "STLR -> STR",
    },
    Orderings {
        file: AARCH64_C,
        instruction: "\"ldar ",
        litmus: &["aarch64-percpu-get", "aarch64-percpu-slot"],
        twin: "LDAR -> LDR",
    },
    Orderings {
        file: AARCH64_C,
        instruction: "\"stlr\"",
        litmus: &["aarch64-percpu-put"],
        twin: "STLR -> STR",
    },
    Orderings {
        file: RISCV64,
        instruction: "\"fence r, rw\"",
        litmus: &["riscv64-slot", "riscv64-percpu-slot", "riscv64-percpu-get"],
        twin: "fence r,rw -> nop",
    },
    Orderings {
        file: RISCV64,
        instruction: "\"fence rw, w\"",
        litmus: &["riscv64-percpu-put"],
        twin: "fence rw,w -> nop",
    },
    Orderings {
        file: RISCV64_C,
        instruction: "\"fence r,rw",
        litmus: &["riscv64-percpu-get", "riscv64-percpu-slot"],
        twin: "fence r,rw -> nop",
    },
    Orderings {
        file: RISCV64_C,
        instruction: "\"fence rw,w",
        litmus: &["riscv64-percpu-put"],
        twin: "fence rw,w -> nop",
    },
];

//! Wrong twins of linux/refcount.h and linux/kref_locks.h: with each of them, a test must fail.

use kref_c_tests::Compiler;

use super::orderings::with_header;
use super::{include, read};

const COUNTS: (&str, &str) = ("kref/linux/refcount.h", "kref/run-semantics-oldp");
const MEANWHILE: (&str, &str) = ("kref/linux/refcount.h", "kref/run-oldp-meanwhile");
const LOCKS: (&str, &str) = ("kref/linux/kref_locks.h", "lookup/run-own-locks");

/// The header and its test; what is in the header; how often; what stands there in the twin.
type Twin = ((&'static str, &'static str), &'static str, usize, &'static str);

const TWINS: [Twin; 21] = [
    (COUNTS, " || kref_linux_above(i, *old, limit)", 1, ""),
    (COUNTS, "i < 0 || kref_linux_above(i, *old, limit)", 1, "kref_linux_above(i, *old, limit)"),
    (COUNTS, "kref_linux_above(i, keep, *old)", 1, "kref_linux_above(i, 0, *old)"),
    (COUNTS, "next = i == *old ? INT_MAX :", 1, "next = i == *old ? 0 :"),
    (COUNTS, "*oldp = old;", 6, "*oldp = old + 1;"),
    (COUNTS, "if (oldp)", 6, "if (1)"),
    (COUNTS, "limit < 0 ? 0 : limit", 1, "limit"),
    (COUNTS, "old < 0 || i < 0 || !", 1, "!"),
    (COUNTS, " && (old < 0 || i < 0 || !kref_linux_above(i, old, most))", 1, ""),
    (COUNTS, "if (is_put)", 1, "if (!is_put)"),
    (COUNTS, "t == REFCOUNT_ADD_UAF ? 0 : KREF_MAX", 1, "0"),
    (MEANWHILE, "kref_linux_take(1, r, KREF_MAX, &old)", 1, "(old = (int)refcount_read(r), 0)"),
    (MEANWHILE, "t == REFCOUNT_ADD_UAF ? 0", 1, "is_put || t == REFCOUNT_ADD_UAF ? 0"),
    (MEANWHILE, "kref_linux_above(i, keep, *old)", 1, "kref_linux_above(i, 1, *old)"),
    (LOCKS, "    mutex_lock(lock);\n", 2, ""),
    (LOCKS, "    mutex_unlock(lock);\n", 2, ""),
    (LOCKS, "    spin_lock(lock);\n", 2, ""),
    (LOCKS, "    spin_unlock(lock);\n", 2, ""),
    (LOCKS, "spin_lock_irqsave(lock, *flags)", 1, "spin_lock(lock)"),
    (LOCKS, "    spin_unlock_irqrestore(lock, *flags);\n", 1, ""),
    (
        LOCKS,
        "if (kref_put(kref, release))",
        2,
        "if (kref_count_dec_and_test(&kref->refcount) && (release(kref), 1))",
    ),
];

/// Each place of each twin is tried alone. The unchanged header is the counter-check.
pub fn every_wrong_twin_fails() {
    let compiler = Compiler::any();
    let mut pass = Vec::new();
    for ((header, program), right, times, wrong) in TWINS {
        let text = read(include().join(header));
        let places: Vec<usize> = text.match_indices(right).map(|(place, _)| place).collect();
        assert_eq!(places.len(), times, "{header}: {right}");
        for place in places {
            let twin = format!("{}{wrong}{}", &text[..place], &text[place + right.len()..]);
            let ended = with_header(compiler, header, &twin, program, &["-O1"]);
            if ended.success {
                pass.push(format!("{program} with {wrong:?} in place of {right:?}, byte {place}"));
            }
        }
    }
    assert!(pass.is_empty(), "passed:\n{}", pass.join("\n"));
    for (header, program) in [COUNTS, MEANWHILE, LOCKS] {
        let ended = with_header(compiler, header, &read(include().join(header)), program, &["-O1"]);
        assert!(ended.success, "{program}:\n{}", ended.output);
    }
}

//! With the unwinding tables of the C library that the tests run with.

use std::vec::Vec;

use super::{Section, rule};
use crate::module;
use crate::rules::{Cfa, Saved};

/// The C library's tables, and the addresses of its code.
fn library() -> (Section<'static>, u64, core::ops::Range<u64>) {
    module::set_up();
    let module = module::at(libc::qsort as *const () as u64).expect("glibc 2.35");
    (module.section().expect("tables"), module.header, module.start..module.end)
}

#[test]
fn functions_have_rules() {
    let (section, header, code) = library();
    let (mut rules, mut by_pointer) = (0, 0);
    for address in code.clone().step_by(997) {
        let Some(rule) = rule(section, header, address) else { continue };
        rules += 1;
        by_pointer += usize::from(matches!(rule.cfa, Cfa::Fp(_)));
        if matches!(rule.cfa, Cfa::Sp(_) | Cfa::Fp(_)) {
            assert!(matches!(rule.ip, Saved::AtCfa(_) | Saved::Same), "{address:x} {rule:?}");
        }
    }
    // Half of a C library is code.
    assert!(rules > 300 && by_pointer > 0, "{rules} {by_pointer}");
    assert_eq!(rule(section, header, 0), None);
    assert_eq!(rule(section, header, u64::MAX), None);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_code_that_ends_a_handler_has_a_rule() {
    unsafe extern "C" fn nothing(_: libc::c_int) {}
    let mut action: [usize; 4] = [0; 4];
    // SAFETY: sets a handler, and then asks the kernel for what the C library has set: its struct has the handler,
    // the flags and the restorer.
    unsafe {
        libc::signal(libc::SIGURG, nothing as *const () as usize);
        let place = action.as_mut_ptr();
        libc::syscall(libc::SYS_rt_sigaction, libc::SIGURG, 0, place, 8);
    }
    let (section, header, _) = library();
    let rule = rule(section, header, action[2] as u64).expect("a rule");
    assert!(rule.is_signal, "{rule:?}");
    // The stack pointer and the instruction pointer of struct ucontext.
    assert_eq!((rule.cfa, rule.ip), (Cfa::AtSp(160), Saved::AtSp(168)));
    assert_eq!(rule.fp, Saved::AtSp(120));
}

#[test]
fn damaged_tables_are_read_without_harm() {
    let (section, header, code) = library();
    // The header, and a part of what it points to.
    let start = (header - section.address) as usize;
    let length = (section.bytes.len() - start).min(400_000);
    let sound: Vec<u8> = section.bytes[start..start + length].to_vec();
    let mut number = 7_u64;
    let mut random = move || {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        number
    };
    let mut damaged = sound.clone();
    let mut rules = 0;
    for round in 0..20_000 {
        if round % 100 == 0 {
            damaged.clone_from(&sound);
        }
        for _ in 0..50 {
            let place = random() as usize % damaged.len();
            damaged[place] = random() as u8;
        }
        let address = code.start + random() % (code.end - code.start);
        let section = Section { bytes: &damaged, address: header };
        rules += usize::from(rule(section, header, address).is_some());
    }
    assert!(rules > 100, "{rules}");
    for length in 0..200 {
        let section = Section { bytes: &sound[..length], address: header };
        assert_eq!(rule(section, header, code.start + 4096), None);
    }
}

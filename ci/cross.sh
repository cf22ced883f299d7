#!/usr/bin/env bash
# cross.sh ARCH: builds libkref for another processor, or for musl, and runs its tests: in qemu-user, and for i686
# and musl on this machine. ARCH is aarch64, riscv64, s390x, ppc64le, armv7, i686 or musl. KREF_CHECK=quick is the
# short form, for CI. There a C program is built in fewer ways. In qemu-user the C programs are run for
# s390x alone: boot.sh runs them on a kernel of aarch64 and riscv64, and i686 stands for armv7, since both have 32 bits.
# The tests that compile each header alone, and the judge's unit tests on aarch64, are left to the long form. The
# C tests have a driver in Rust, a program that compiles and runs them. Where possible, it is built for this machine, and
# the same build is used for all values of ARCH.
# Works in the chroot of chroot.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/chroot.sh
. ci/chroot.sh

packages=(pkg-config)
[[ -z $emulator ]] || packages+=(qemu-user)
# For the litmus tests, which are about the memory models of these two.
[[ $arch != aarch64 && $arch != riscv64 ]] || packages+=(herdtools7)
install "${packages[@]}"
copy_source

settings=(TARGET="$target" TRACK=no CARGO_TARGET_DIR="/root/target/$arch" KREF_CHECK="${KREF_CHECK:-}")
slow=' --test headers --test programs' judge='-p kref-track '
if [[ ${KREF_CHECK:-} == quick && -n $emulator ]]; then
    slow=' --test programs' judge=
    [[ $arch == s390x ]] || slow=
fi
c_tests="--test attributes --test plugins$slow --test unknown-callers"
# These are about the memory models of two processors.
[[ $arch != aarch64 && $arch != riscv64 ]] || c_tests+=' --test litmus'
c=("-p kref-c-tests $c_tests -- --skip are_generated")
rust=('-p kref --test line --test number_line --test percpu --test rust' '-p kref --doc')
if [[ $arch == musl ]]; then
    # The tests that are in Rust would need Rust's std for musl.
    rust=()
    c+=('-p kref-c-tests --test torture')
    settings+=(CC=musl-gcc)
    # musl-tools has no kernel headers.
    within ln -sfn -t /usr/include/x86_64-linux-musl /usr/include/linux /usr/include/asm-generic \
        /usr/include/x86_64-linux-gnu/asm
else
    variable=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")
    settings+=(CC="$gnu-gcc" AR="$gnu-ar" OBJCOPY="$gnu-objcopy" "${variable}_LINKER=$gnu-gcc")
    # These read a process's memory by process_vm_readv(2), or the arguments of a system call of another thread.
    # qemu-user has neither. The last one has no code of a processor, and takes more than a minute here.
    [[ $arch != aarch64 ]] || rust+=("$judge-p kref-track-record -p kref-track-wire --lib --
        --skip where_this_program_is_mapped --skip places_in_this_program --skip a_mutex_of_ones_own
        --skip reach::heap::tests::blocks_of_a_process --skip a_cache_and_a_block_of_its_size
        --skip reach::memory --skip reach::threads --skip objects_that_are_too_many_to_search_for
        --skip records_of_garbage")
fi
if [[ -n $emulator ]]; then
    # A sanitizer may hang in the emulator. The time limit ends it, and the tests go on without it.
    settings+=(KREF_EMULATOR="timeout 100 $emulator -L /usr/$gnu" "${variable}_RUNNER=$emulator -L /usr/$gnu")
elif [[ $arch == i686 ]]; then
    ln -sf "/usr/$gnu/lib/ld-linux.so.2" "$chroot/lib/"
    echo "/usr/$gnu/lib" >"$chroot/etc/ld.so.conf.d/$gnu.conf"
    within ldconfig
fi
# The program run-layout gets the sizes of Rust's types from the driver. So for 32 bits the driver must have 32 bits.
of_target=(CARGO_BUILD_TARGET="$target") of_driver=(CARGO_TARGET_DIR=/root/target/source) source=source
if [[ $slow == *programs* && ($arch == armv7 || $arch == i686) ]]; then
    of_driver=("${of_target[@]}") source=$arch
else
    # The driver looks for its programs in the folder where it was built. Cargo does not build it again for another
    # folder with the same files. So the driver's source is in one folder, the same for all values of ARCH.
    copy_source source
fi
rm -rf "$chroot/root/target/source/c-tests"

log=target/cross/$arch.log
mkdir -p target/cross
status=0
(
    # run_tests FOLDER WORDS NAME=VALUE...
    run_tests() {
        # shellcheck disable=SC2086 # a list of words
        within env --chdir="/root/$1" -u CI "${settings[@]}" "${@:3}" cargo test --locked --no-fail-fast $2 || status=1
    }
    for tests in "${rust[@]}"; do run_tests "$arch" "$tests" "${of_target[@]}"; done
    for tests in "${c[@]}"; do run_tests "$source" "$tests" "${of_driver[@]}"; done
    exit "$status"
) 2>&1 | tee "$log" || status=1

echo
sed -n 's/^test \(.*[^ ]\) *\.\.\. FAILED/failed for '"$arch"': \1/p' "$log"
echo "Not run for $arch:"
[[ $arch == musl ]] ||
    echo '  the sequences of rseq, which neither qemu-user nor i686 has: ci/boot.sh runs those of aarch64 and riscv64'
[[ $slow == *programs* ]] || echo '  the programs of c-tests: see the comment of this script on the short form'
[[ $slow == *headers* ]] || echo '  each header alone'
echo '  valgrind, gdb, kref-track (ci/boot.sh runs it on aarch64), and the tests of installing and of the codegen'
reasons() { sed -n 's/^test \(.*[^ ]\) *\.\.\. ignored (\(.*\))$/\1\t\2/p' "$log"; }
reasons | sed -n 's/^\([^:]*\)::.*\t\(not under .*\)/  \1, \2/p' | sort -u
reasons | sed -n 's/.*\t//; /^not under/!p' | sort | uniq -c | sed 's/^ *\([0-9]*\) /  \1 tests: /'
exit "$status"

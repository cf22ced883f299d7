#!/usr/bin/env bash
# Part of ../boot.sh, in its chroot: builds libkref and the C tests into the guest's file system $GUEST, and writes the
# list of what the guest is to run. A line of the list: the kind of the program, its name, and
# * run: its arguments. It must end with status 0.
# * torture: as run, for some seconds. Its output is shown.
# * fail: words that its output must have. It must not end with status 0.
# * twin: how it fails. It is the torture with a fault, and is run until it fails.
# * processor, step: the flag that the following programs need of the processor; whether each instruction is to be
#   a block.
set -euo pipefail
list=$GUEST/t/list
# The time between two timer signals is longer than on a processor: see torture.h.
flags=(-O2 -g -pthread -Wall -Wextra -Ic-tests/harness '-DDATA="/t/data"' -DPERIOD=10000000)
out=/root/boot-$ARCH

# library NAME: builds the library from the source in the working directory.
library() {
    make --quiet TRACK=no TARGET="$TARGET" CC="$GNU-gcc" AR="$GNU-ar" OBJCOPY="$GNU-objcopy" \
        OUT="$out/$1" TARGET_DIR="$out/target"
}

# program NAME SOURCE FLAG...: compiles c-tests/SOURCE.c.
program() {
    local name=$1 source=$2
    shift 2
    "$GNU-gcc" "${flags[@]}" -Iinclude -o "$GUEST/t/$name" "c-tests/$source.c" "$@"
}

add() { echo "$*" >>"$list"; }

# says KEY PATH: what the opening comment of a program says.
says() { sed -n "/\*\//q; s/^[ *]*$1: //p" "$2"; }

library right
cp "$out/right"/libkref.so.?.? "$GUEST/lib/"
cp "/usr/$GNU/lib/"{ld-linux-*.so.1,libc.so.6,libm.so.6,libgcc_s.so.1} "$GUEST/lib/"
shared=(-L"$out/right" -lkref)
static=(-O0 -DKREF_NO_INLINE "$out/right/libkref.a")

for path in c-tests/*/run-*.c; do
    source=${path#c-tests/} source=${source%.c}
    name=${source/\/run-/.}
    case $source in
    tracker/* | kref/run-layout) continue ;; # no tracker; the layout is compared with Rust's by the Rust driver
    esac
    program "$name.inline" "$source" "${shared[@]}"
    program "$name.static" "$source" "${static[@]}"
    add run "$name.inline"
    add run "$name.static"
    [[ $(says tools "$path") == *static* ]] || continue
    program "$name.executable" "$source" -static "$out/right/libkref.a"
    add run "$name.executable"
done

program unload.so rseq/unload/library -shared -fPIC "${shared[@]}"
program unload rseq/unload/program "${static[@]}"
add run unload ./unload.so

# torture KIND SUBJECT.NAME LIBRARY FLAG... -- WORDS: slot/torture.c or percpu/torture.c with libkref.a of LIBRARY.
torture() {
    local kind=$1 name=$2 library=$3
    shift 3
    local subject=${name%%.*} more=()
    while (($#)) && [[ $1 != -- ]]; do more+=("$1") && shift; done
    program "torture.$name" "$subject/torture" -DKREF_NO_INLINE "${more[@]}" "$out/$library/libkref.a"
    add "$kind" "torture.$name" "${@:2}"
}

# changed NAME SED: the library with a change in the sequences, which must be one.
changed() {
    cp "$sequences" /tmp/right
    sed -i -z "$2" "$sequences"
    ! cmp -s "$sequences" /tmp/right || { echo "no change: $1" >&2 && exit 1; }
    library "$1"
    cp /tmp/right "$sequences"
}
sequences=src/rseq/$ARCH.rs

# The right sequences, out of line and inlined in C.
for subject in slot percpu; do
    torture torture $subject.right right
    program "torture.$subject.inline" $subject/torture "${shared[@]}"
    add torture "torture.$subject.inline"
done

# The sequences with a loop before the commit, and the broken ones.
# shellcheck source=ci/boot/aarch64.sh
. "ci/boot/$ARCH.sh"

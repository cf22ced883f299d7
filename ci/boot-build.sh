#!/usr/bin/env bash
# Part of boot.sh, in its chroot: builds libkref and the C tests into the guest's file system $GUEST, and writes the
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
out=/root/boot/$TARGET

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

for subject in slot percpu; do
    program "$subject.torture.inline" $subject/torture "${shared[@]}"
    program "$subject.torture.static" $subject/torture "${static[@]}"
    program "$subject.torture.no-fence" $subject/torture "${shared[@]}" -DWITHOUT_FENCE
    add torture "$subject.torture.inline"
    add torture "$subject.torture.static"
    add twin "$subject.torture.no-fence" a reader uses a released object
done

# twin SUBJECT NAME FILE SED REASON: the torture with a fault in the library. The fault must change FILE.
twin() {
    local subject=$1 name=$2 file=$3 script=$4 reason=$5
    cp "$file" /tmp/right
    sed -i -z "$script" "$file"
    ! cmp -s "$file" /tmp/right || { echo "no such fault: $name" >&2 && exit 1; }
    library "$name"
    cp /tmp/right "$file"
    program "$subject.torture.$name" "$subject/torture" -O2 -DKREF_NO_INLINE "$out/$name/libkref.a"
    add twin "$subject.torture.$name" "$reason"
}

sequences=src/rseq/${TARGET%%-*}.rs
case $TARGET in
aarch64-*)
    again='"b 6b"'
    twin slot signature "$sequences" 's/0xd428bc00/0xd503201f/' 'SIGSEGV at the first abort'
    add processor atomics
    twin slot goes-on "$sequences" 's/"ldadd /"1: ldadd /; s/"b 6b"/"cbz {object}, 6b", "b 1b"/
        s/object = out(reg) object/object = inout(reg) 0_usize => object/' \
        'the handler goes on at the commit, with an object that was released'
    add processor -atomics
    add step on
    add torture slot.torture.static
    twin slot loop-within "$sequences" 's/"ldxr /"1: ldxr /
        s/"3:",\n *"cbnz {failed:w}, 6b"/"cbnz {failed:w}, 1b", "3:"/' \
        'an abort between the store and the end of the loop increments twice'
    add step off
    ;;
esac

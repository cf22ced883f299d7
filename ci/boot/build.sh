#!/usr/bin/env bash
# Part of ../boot.sh, in its chroot: builds libkref and the C tests into the guest's file system $GUEST, and writes the
# list of what the guest is to run. A line of the list: the kind of the program, its name, and
# * run: its arguments. It must end with status 0.
# * torture: nothing. As run, and its last line is shown.
# * track: words that kref-track's report on the program must have; without words, the report must be empty.
# * fail: words that its output must have. It must not end with status 0.
# * twin: what is wrong. It is the torture with a fault, and is run until it fails.
# * processor: not a program, but the flag that the following ones need of the processor; with a `-` before it, they
#   need a processor without. No flag: any processor.
# * step: not a program; `on` or `off`: whether each instruction is a block of its own.
set -euo pipefail
list=$GUEST/t/list
out=/root/boot-$ARCH
sequences=src/rseq/$ARCH.rs
# The time between two timer signals is longer than on a processor: see torture.h.
flags=(-O2 -g -pthread -Wall -Wextra -Iinclude -Ic-tests/harness '-DDATA="/t/data"' -DPERIOD=10000000)

add() { echo "$*" >>"$list"; }

# says KEY PATH: what the opening comment of a program says.
says() { sed -n "/\*\//q; s/^[ *]*$1: //p" "$2"; }

# library NAME: builds the library from the source in the working directory, and the tracker if it has code for $ARCH.
library() {
    make --quiet TARGET="$TARGET" CC="$GNU-gcc" AR="$GNU-ar" OBJCOPY="$GNU-objcopy" \
        OUT="$out/$1" TARGET_DIR="$out/target"
}

# changed NAME SED: the library with a change in the sequences. A script that changes nothing is an error.
changed() {
    cp "$sequences" /tmp/right
    sed -i -z "$2" "$sequences"
    ! cmp -s "$sequences" /tmp/right || { echo "no change: $1" >&2 && exit 1; }
    library "$1"
    cp /tmp/right "$sequences"
}

# program NAME SOURCE FLAG...: compiles c-tests/SOURCE.c.
program() { "$GNU-gcc" "${flags[@]}" -o "$GUEST/t/$1" "c-tests/$2.c" "${@:3}"; }

# torture KIND LIBRARY FLAG... -- WORDS: rseq/torture.c with libkref.a of LIBRARY. SOURCE may be another program.
torture() {
    local kind=$1 library=$2 source=${SOURCE:-rseq/torture} more=()
    shift 2
    while [[ $1 != -- ]]; do more+=("$1") && shift; done
    local name
    name=${source/\//.}.$library$(printf %s "${more[@],,}" | sed 's/-d/./g')
    program "$name" "$source" -DKREF_NO_INLINE "${more[@]}" "$out/$library/libkref.a"
    add "$kind" "$name" "${@:2}"
}

library right
cp "$out/right"/libkref.so.?.? "$GUEST/lib/"
cp "/usr/$GNU/lib/"{ld-linux-*.so.1,libc.so.6,libm.so.6,libgcc_s.so.1} "$GUEST/lib/"
shared=(-L"$out/right" -lkref)
static=(-O0 -DKREF_NO_INLINE "$out/right/libkref.a")

# shellcheck source=ci/boot/aarch64.sh
. "ci/boot/$ARCH.sh"

for path in c-tests/*/run-*.c; do
    source=${path#c-tests/} source=${source%.c}
    name=${source/\/run-/.}
    fewer=()
    [[ $source != slot/* ]] || fewer=(-DROUNDS=200)
    case $source in
    tracker/* | kref/run-layout) continue ;; # no tracker; the layout is compared with Rust's by the Rust driver
    rseq/* | slot/* | percpu/*)
        add processor
        whole=()
        [[ $(says tools "$path") != *static* ]] || whole=(-static)
        program "$name.static" "$source" "${fewer[@]}" "${whole[@]}" "${static[@]}"
        add run "$name.static"
        ;;
    *) add processor "$newest" ;; # no other code differs
    esac
    if [[ ${KREF_CHECK:-} == quick ]]; then
        # This one is emulated instruction by instruction. The short form has only run-stepped.static.
        [[ $source != rseq/run-stepped ]] || continue
        # The sequences that are inlined run on one processor.
        add processor "$newest"
    fi
    program "$name.inline" "$source" "${fewer[@]}" "${shared[@]}"
    add run "$name.inline"
done

# The programs that are wrong, under the sanitizer that works in the guest.
case $sanitizer in
asan) option=-fsanitize=address ;;
tsan) option=-fsanitize=thread ;;
esac
add processor "$newest"
for path in c-tests/*/fail-*.c; do
    source=${path#c-tests/} source=${source%.c}
    words=$(says "caught by: $sanitizer" "$path")
    [[ -n $words ]] || continue
    program "${source/\//.}" "$source" -O1 "$option" "${shared[@]}"
    add fail "${source/\//.}" "$words"
done
cp "/usr/$GNU/lib/"{lib"$sanitizer",libstdc++}.so.? "$GUEST/lib/"

# The tracker must blame the lines that the programs mark.
if [[ -e $out/right/kref-track ]]; then
    cp "$out/right/kref-track" "$GUEST/bin/"
    cp -r "$out/right/kref" "$GUEST/lib/"
    for source in reports/{holders,inlined,lookup,no-object,typed} robustness/{ends,fork,threads}; do
        name=tracker.${source#*/}
        mark=$(sed -n '/HERE/=' "c-tests/tracker/$source.c")
        # The emulated judge needs two minutes for the usual numbers.
        program "$name" "tracker/$source" -O1 -DFORKS=6 -DROUNDS=50 "${shared[@]}"
        case $source in
        reports/holders) add track "$name" '15 references of "index", on 15 objects' ;;
        reports/typed) add track "$name" 'connection: 3 references on 2 objects' ;;
        reports/*) add track "$name" "$source.c:$mark" ;;
        *) add track "$name" ;;
        esac
    done
    # Frames by the unwinding tables alone.
    signed=()
    [[ $ARCH != aarch64 ]] || signed=(-mbranch-protection=standard)
    program tracker.signed tracker/reports/holders -O1 -fomit-frame-pointer "${signed[@]}" "${shared[@]}"
    add track tracker.signed '15 references of "index", on 15 objects'
    # The tracker must not call the sanitizer's memcpy().
    program tracker.threads.tsan tracker/robustness/threads -O1 -DROUNDS=10 -fsanitize=thread "${shared[@]}"
    add track tracker.threads.tsan
fi
add processor

program unload.so rseq/unload/library -shared -fPIC "${shared[@]}"
program unload rseq/unload/program "${static[@]}"
add run unload ./unload.so

for subject in slot percpu pool; do
    program "$subject.torture.inline" $subject/torture "${shared[@]}"
    program "$subject.torture.static" $subject/torture "${static[@]}"
    add torture "$subject.torture.inline"
    add torture "$subject.torture.static"
done

# The sequences with a loop before the commit, and the broken ones.
twins
torture torture wide --
torture torture wide -DPERCPU --
SOURCE=pool/torture torture torture wide --
torture twin wide -DWITHOUT_FENCE -- no fence
torture twin wide -DWITHOUT_FENCE -DPERCPU -- no fence
torture twin signature -- the kernel kills at the first abort
torture twin goes-on -- the handler goes on with an object that was released
SOURCE=pool/torture torture twin goes-on -- the handler goes on with an entry that another thread has taken

# An abort may come between any two instructions.
add step on
torture torture right --
torture torture right -DPERCPU --
add step off

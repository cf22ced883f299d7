#!/usr/bin/env bash
# Part of boot.sh, in its chroot: builds libkref and the C tests into the file system $GUEST of the guest, and the
# list of the programs that the guest is to run. A line of the list: what the program must do, its name, and the
# words that a `fail-` program must report.
set -euo pipefail
list=$GUEST/t/list
flags=(-O2 -g -pthread -Wall -Wextra -Iinclude -Ic-tests/harness '-DDATA="/t/data"')

# library NAME: builds the library from the source in the working directory into out-NAME.
library() {
    make --quiet TRACK=no TARGET="$TARGET" CC="$GNU-gcc" AR="$GNU-ar" OBJCOPY="$GNU-objcopy" \
        OUT="/root/boot/$TARGET/$1" TARGET_DIR="/root/boot/$TARGET/target"
    lib=/root/boot/$TARGET/$1
}

# program WHAT NAME SOURCE FLAG...: compiles c-tests/SOURCE.c.
program() {
    local what=$1 name=$2 source=$3
    shift 3
    "$GNU-gcc" "${flags[@]}" -o "$GUEST/t/$name" "c-tests/$source.c" "$@"
    echo "$what $name $words" >>"$list"
}

says() { sed -n "/\*\//q; s/^[ *]*$1: //p" "c-tests/$source.c"; }

library right
cp "$lib"/libkref.so.?.? "$GUEST/lib/"
cp "/usr/$GNU/lib/"{ld-linux-*.so.1,libc.so.6,libm.so.6,libgcc_s.so.1} "$GUEST/lib/"
shared=(-L"$lib" -lkref)
static=(-O0 -DKREF_NO_INLINE "$lib/libkref.a")

for path in c-tests/*/run-*.c; do
    source=${path#c-tests/} source=${source%.c} words=
    name=${source/\/run-/.}
    case $source in
    tracker/* | kref/run-layout) continue ;; # no tracker; the layout is compared with Rust's by the Rust driver
    esac
    program run "$name.inline" "$source" "${shared[@]}"
    program run "$name.static" "$source" "${static[@]}"
    [[ $(says tools) != *static* ]] || program run "$name.executable" "$source" -static "$lib/libkref.a"
done

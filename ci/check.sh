#!/bin/sh
# `make check` and `make check-all`: runs the tests, and says before how long that takes and afterwards what was
# skipped. Every test runs, also after one that failed.
set -u
cd "$(dirname "$0")/.." || exit 1
: "${CARGO:=cargo}"
log=target/check.log
mkdir -p target

# The tests of `make check`, which need neither the tracker nor much time.
quick='-p kref --lib --test house --test line --test number_line --test percpu --test rust'
quick_c='--test abi --test attributes --test bindings --test codegen --test gdb --test headers --test installed
    --test plugins --test programs'

case ${1:-} in
quick)
    echo 'make check: the core, the headers, the installed library, and each C program in five ways.'
    echo 'About 3 minutes on two cores, the first time 2 more. Left to `make check-all`: the other ways (static,'
    echo 'without inlining, valgrind, both compilers under each sanitizer), the tracker, models, torture, and'
    echo 'the faults that tests must find.'
    ;;
all)
    echo 'make check-all: all tests. About 8 minutes on two cores, the first time 4 more. CI runs `make memory` and'
    echo '`make fuzz`, too.'
    ;;
*)
    echo "usage: $0 quick|all" >&2
    exit 2
    ;;
esac

began=$(date +%s)
{
    status=0
    if [ "$1" = quick ]; then
        export KREF_CHECK=quick
        # shellcheck disable=SC2086 # lists of words
        $CARGO test --locked --no-fail-fast $quick || status=1
        # shellcheck disable=SC2086
        $CARGO test --locked --no-fail-fast -p kref-c-tests $quick_c || status=1
    else
        $CARGO test --locked --workspace --no-fail-fast || status=1
    fi
    echo "status: $status"
} 2>&1 | tee "$log"

count() { sed -n "s/^test result:.* \([0-9]*\) $1.*/\1/p" "$log" | awk '{ sum += $1 } END { print sum + 0 }'; }
echo
echo "$(count passed) tests passed, $(count failed) failed, $(count ignored) were skipped, in $((($(date +%s) - began + 59) / 60)) minutes."
if [ "$(count ignored)" != 0 ]; then
    echo 'Skipped, because this machine has not what they need:'
    sed -n 's/^test .* \.\.\. ignored (\(.*\))$/  \1/p' "$log" | sort | uniq -c
fi
sed -n 's/^test \(.*[^ ]\)  *\.\.\. FAILED/failed: \1/p' "$log"
[ "$(tail -n 1 "$log")" = 'status: 0' ]

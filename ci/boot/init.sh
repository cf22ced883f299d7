#!/bin/busybox sh
# shellcheck shell=dash
# Part of ../boot.sh: what the guest runs first, and all that it runs: what build.sh has put on /t/list.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
echo 0 >/proc/sys/kernel/randomize_va_space # for ThreadSanitizer
cd /t || poweroff -f
failed=0
passed=0

seconds() { cut -d. -f1 /proc/uptime; }

# run SECONDS COMMAND: its output goes to /tmp/output.
run() {
    limit=$1
    shift
    timeout "$limit" "$@" </dev/null >/tmp/output 2>&1
}

# result STATUS WHAT: counts, and shows the output of what failed. The time is that of the guest, since its boot.
result() {
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
        echo "$(seconds) s: ok $2"
    else
        failed=$((failed + 1))
        echo "$(seconds) s: FAILED $2 ($1)"
        sed 's/^/    /' /tmp/output
    fi
}

# A twin may pass by chance, so it runs until it fails, for 30 seconds.
run_twin() {
    began=$(seconds)
    tries=0
    while [ $(($(seconds) - began)) -lt 30 ]; do
        tries=$((tries + 1))
        run 250 "./$name" || {
            status=$?
            result 0 "$name: status $status in run $tries, after $(($(seconds) - began)) s: $words"
            tail -n 1 /tmp/output | sed 's/^/    /'
            return
        }
    done
    result 1 "$name: passed $tries times, but must fail: $words"
}

# Whether the processor is the one that the last line `processor` asks for: with a flag, or without a -flag.
fits() {
    case $processor in
    '') ;;
    -*) ! grep -q "${processor#-}" /proc/cpuinfo ;;
    *) grep -q "$processor" /proc/cpuinfo ;;
    esac
}

echo "UP: $(uname -r), $(nproc) CPUs"
export KREF_TORTURE_SECONDS=3
processor=
while read -r what name words; do
    if [ "$what" = processor ]; then
        processor=$name
        continue
    fi
    fits || continue
    case $what in
    run)
        # shellcheck disable=SC2086 # arguments
        run 250 "./$name" $words
        result $? "$name"
        ;;
    torture)
        run 250 "./$name"
        result $? "$name: $(tail -n 1 /tmp/output)"
        ;;
    fail)
        ! run 250 "./$name" && grep -q "$words" /tmp/output
        result $? "$name"
        ;;
    track)
        run 250 kref-track "./$name"
        status=$?
        if [ -n "$words" ]; then
            grep -q "$words" /tmp/output
            status=$?
        elif [ -s /tmp/output ]; then
            status=1
        fi
        result "$status" "$name under kref-track"
        ;;
    twin) run_twin ;;
    step)
        echo "one-insn-per-tb $name" # boot.sh tells qemu
        sleep 2
        ;;
    esac
done <list
echo "DOWN: $failed failed, $passed passed"
poweroff -f

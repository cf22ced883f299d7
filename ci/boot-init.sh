#!/bin/busybox sh
# Part of boot.sh: what the guest runs first, and the only thing that it runs. Runs each program of /t/list.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
echo 0 >/proc/sys/kernel/randomize_va_space # for ThreadSanitizer
cd /t
failed=0
passed=0

# result STATUS NAME: counts, and shows the output of what failed.
result() {
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
        echo "ok $2"
    else
        failed=$((failed + 1))
        echo "FAILED $2 ($1)"
        sed 's/^/    /' /tmp/output
    fi
}

echo "UP: $(uname -r), $(nproc) CPUs"
while read -r what name words; do
    case $what in
    run)
        timeout 120 "./$name" </dev/null >/tmp/output 2>&1
        result $? "$name"
        ;;
    esac
done <list
echo "DOWN: $failed failed, $passed passed"
poweroff -f

#!/usr/bin/env bash
# boot.sh ARCH [build|run]: boots Debian's kernel for another processor in qemu, and runs the C tests of libkref there:
# on a real kernel, which has restartable sequences, membarrier, ptrace and seccomp filters. ARCH is aarch64 or riscv64.
# `build` only builds what the guest runs, and `run` only runs it: that needs no network, and mostly one core.
# Status 0 if each program ended as it must: boot/build.sh has the list. KREF_CHECK=quick leaves out a program that takes
# very long, and on a second processor the inlined programs. Works in the chroot of chroot.sh.
#
# An emulator is not the processor. An x86-64 machine orders memory accesses more than the emulated processor would, so
# a missing acquire or release is not found here, but by the litmus tests.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/chroot.sh
. ci/chroot.sh

case $arch in # what qemu calls the processors, Debian the kernel
aarch64) processors=(neoverse-n1 cortex-a72) kernel=cloud-arm64 console=ttyAMA0 packages=(qemu-system-arm) ;;
riscv64) processors=(rv64) kernel=riscv64 console=ttyS0 packages=(qemu-system-riscv opensbi) ;;
*) sed -n '2,6s/^# //p' "$0" >&2 && exit 2 ;;
esac
work=$chroot/root/boot-$arch # the kernel is kept here
guest=$work/guest            # the guest's file system

get_kernel() {
    [[ ! -e $work/vmlinuz ]] || return 0
    mkdir -p "$work"
    within sh -ec "
        cd /root/boot-$arch
        image=\$(apt-cache search --names-only '^linux-binary-[0-9].*-$kernel\$' | sort -V | tail -n 1)
        apt-get --quiet download \${image%% *}:$debian busybox-static:$debian
        for package in *.deb; do dpkg-deb -x \$package unpacked; done
        mv unpacked/usr/bin/busybox busybox
        mv unpacked/usr/lib/modules/*/vmlinuz vmlinuz
        rm -r unpacked *.deb"
}

# Builds the library and the programs, and the guest's file system with them.
build() {
    copy_source
    rm -rf "$guest"
    mkdir -p "$guest"/{bin,dev,lib,proc,sys,tmp,t}
    cp -r c-tests/data "$guest/t/"
    cp ci/boot/init.sh "$guest/init"
    cp "$work/busybox" "$guest/bin/"
    within env --chdir="/root/$arch" ARCH="$arch" TARGET="$target" GNU="$gnu" GUEST="/root/boot-$arch/guest" \
        KREF_CHECK="${KREF_CHECK:-}" bash ci/boot/build.sh
    (cd "$guest" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$work/initramfs"
}

# Boots with the processor. When the guest prints a line `one-insn-per-tb on` or `off`, the line goes to qemu's monitor.
# qemu interrupts the guest only between blocks of instructions, and `on` makes each instruction a block.
boot() {
    rm -f "$work"/monitor.*
    mkfifo "$work/monitor.in" "$work/monitor.out"
    exec 3<>"$work/monitor.in" 4<>"$work/monitor.out"
    within timeout --foreground "${LIMIT:-1500}" "qemu-system-$arch" -machine virt -cpu "$1" -smp "${CPUS:-4}" -m 1024 \
        -accel tcg,thread=multi -display none -serial stdio -monitor "pipe:/root/boot-$arch/monitor" \
        -no-reboot -nic none -kernel "/root/boot-$arch/vmlinuz" -initrd "/root/boot-$arch/initramfs" \
        -append "console=$console quiet panic=-1" </dev/null |
        while IFS= read -r line; do
            line=${line%$'\r'}
            [[ $line != one-insn-per-tb* ]] || echo "$line" >&3
            echo "$line"
        done
}

case ${2:-} in '' | build | run) ;; *) sed -n '2,6s/^# //p' "$0" >&2 && exit 2 ;; esac
if [[ ${2:-} != run ]]; then
    command -v cpio >/dev/null || apt-get install --yes --no-install-recommends cpio
    install "${packages[@]}"
    get_kernel
    build
    [[ ${2:-} != build ]] || exit 0
fi
status=0
mkdir -p target/boot
for processor in "${processors[@]}"; do
    boot "$processor" | tee "target/boot/$arch-$processor.log"
    grep -q '^DOWN: 0 failed' "target/boot/$arch-$processor.log" || status=1
done

echo
for processor in "${processors[@]}"; do
    echo "$arch, $processor, $(sed -n 's/^UP: //p; s/^DOWN: //p' "target/boot/$arch-$processor.log" | paste -sd ' ')"
    sed -n 's/^[0-9]* s: FAILED/  failed:/p' "target/boot/$arch-$processor.log"
done
cat <<END
Not run for $arch:
  tracker/run-*, and valgrind; on riscv64 kref-track, which has no code for it
  of the sanitizers, AddressSanitizer on aarch64, which crashes, and ThreadSanitizer on riscv64, which refuses to start
  kref/run-layout, the Rust tests: ci/cross.sh runs them
  rseq/run-unregistered: steps through itself by a flag that only x86-64 has
  rseq/run-stepped on riscv64, where the kernel cannot step, and on aarch64 without LSE, where no step gets past an ldxr
  and its stxr
  all but rseq, slot and percpu on a second processor: they are the same there; in the short form, of these the inlined
  programs
END
exit "$status"

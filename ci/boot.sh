#!/usr/bin/env bash
# boot.sh ARCH: boots Debian's kernel for another processor in qemu, and runs the C tests of libkref there: on a
# real kernel, which has restartable sequences, membarrier, signals, ptrace and seccomp filters. ARCH is aarch64 or
# riscv64. Ends with status 0 if every program ended as c-tests says. About 6 minutes, the first time 2 more.
#
# An emulator is not the processor. An x86-64 machine orders memory accesses more than the emulated processor
# would, so a missing acquire or release is not found here, but by the models.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ci/chroot.sh
. ci/chroot.sh

# What qemu calls the machine, and Debian the kernel. The processors of aarch64: with and without LSE.
case $arch in
aarch64) processors=(neoverse-n1 cortex-a72) kernel=cloud-arm64 console=ttyAMA0 packages=(qemu-system-arm) ;;
riscv64) processors=(rv64) kernel=riscv64 console=ttyS0 packages=(qemu-system-riscv opensbi) ;;
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
        mv unpacked/usr/lib/modules/*/vmlinuz vmlinuz
        mv unpacked/usr/bin/busybox busybox
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
    within env --chdir=/root/source ARCH="$arch" TARGET="$target" GNU="$gnu" GUEST="/root/boot-$arch/guest" \
        bash ci/boot/build.sh
}

# Boots with a processor. The guest's `one-insn-per-tb on` at the beginning of a line goes to qemu's monitor: qemu
# interrupts the guest only between blocks of instructions, and this makes each instruction a block.
boot() {
    rm -f "$work"/monitor.*
    mkfifo "$work/monitor.in" "$work/monitor.out"
    exec 3<>"$work/monitor.in" 4<>"$work/monitor.out"
    within timeout --foreground "${LIMIT:-900}" "qemu-system-${arch}" -machine virt -cpu "$1" -smp "${CPUS:-4}" -m 1024 \
        -accel tcg,thread=multi -display none -serial stdio -monitor "pipe:/root/boot-$arch/monitor" \
        -no-reboot -nic none -kernel "/root/boot-$arch/vmlinuz" -initrd "/root/boot-$arch/initramfs" \
        -append "console=$console quiet panic=-1" </dev/null |
        while IFS= read -r line; do
            line=${line%$'\r'}
            [[ $line != one-insn-per-tb* ]] || echo "$line" >&3
            echo "$line"
        done
}

install cpio "${packages[@]}"
get_kernel
build
(cd "$guest" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1) >"$work/initramfs"
mkdir -p target/boot
failed=0
for processor in "${processors[@]}"; do
    log=target/boot/$arch-$processor.log
    boot "$processor" | tee "$log"
    grep -q '^DOWN: 0 failed' "$log" || failed=1
done
exit "$failed"

#!/usr/bin/env bash
# cross.sh ARCH: builds libkref for another processor and runs its tests: in qemu-user, and for i686 on this
# machine. ARCH is aarch64, riscv64, s390x, ppc64le, armv7 or i686.
#
# Works in a chroot with Debian's cross compilers, rustc and the standard library of rustc for ARCH. The
# chroot is made with debootstrap the first time (CHROOT=target/cross/chroot, SUITE=forky, MIRROR) and kept:
# 5 GB for all six processors. Needs root, an x86-64 processor and the network.
set -euo pipefail
cd "$(dirname "$0")/.."
arch=${1:?usage: ci/cross.sh ARCH}
chroot=$(realpath -m "${CHROOT:-target/cross/chroot}")
suite=${SUITE:-forky}
mirror=${MIRROR:-http://deb.debian.org/debian}

case $arch in # Rust's name of the target, GNU's, Debian's, the emulator
aarch64) names=(aarch64-unknown-linux-gnu aarch64-linux-gnu arm64 qemu-aarch64) ;;
riscv64) names=(riscv64gc-unknown-linux-gnu riscv64-linux-gnu riscv64 qemu-riscv64) ;;
s390x) names=(s390x-unknown-linux-gnu s390x-linux-gnu s390x qemu-s390x) ;;
ppc64le) names=(powerpc64le-unknown-linux-gnu powerpc64le-linux-gnu ppc64el qemu-ppc64le) ;;
armv7) names=(armv7-unknown-linux-gnueabihf arm-linux-gnueabihf armhf qemu-arm) ;;
i686) names=(i686-unknown-linux-gnu i686-linux-gnu i386 '') ;;
*) sed -n '2,3s/^# //p' "$0" >&2 && exit 2 ;;
esac
read -r target gnu debian emulator <<<"${names[*]}"

# Runs a command in the chroot. The mounts end with the command, so nothing is left to be unmounted.
within() {
    unshare --mount sh -c 'root=$1; shift
        mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
        mountpoint -q "$root/dev" || mount --bind /dev "$root/dev"
        exec chroot "$root" env HOME=/root DEBIAN_FRONTEND=noninteractive \
            CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt "$@"' - "$chroot" "$@"
}

make_chroot() {
    command -v debootstrap >/dev/null || { apt-get update && apt-get install --yes debootstrap; }
    # An older debootstrap does not know the suite's name. All Debian suites have one script.
    debootstrap --variant=minbase "$suite" "$chroot" "$mirror" /usr/share/debootstrap/scripts/sid
    printf '#!/bin/sh\nexit 101\n' >"$chroot/usr/sbin/policy-rc.d"
    chmod +x "$chroot/usr/sbin/policy-rc.d"
    # A mirror may stand still for longer than its lists are valid.
    echo 'Acquire::Check-Valid-Until "false";' >"$chroot/etc/apt/apt.conf.d/90cross"
}

# Installs what is missing, so that a second run needs no network.
install() {
    local packages=(ca-certificates cargo rustc make gcc libc6-dev pkg-config qemu-user
        "gcc-$gnu" "libc6-dev-$debian-cross") missing=() package
    for package in "${packages[@]}"; do
        within dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$package")
    done
    cp -L /etc/resolv.conf /etc/hosts "$chroot/etc/"
    if ((${#missing[@]})); then
        within apt-get update
        within apt-get install --yes --no-install-recommends "${missing[@]}"
    fi
    # Where the machine trusts a proxy's certificates, so must cargo.
    ! [[ -e /etc/ssl/certs/ca-certificates.crt ]] ||
        cp -L /etc/ssl/certs/ca-certificates.crt "$chroot/etc/ssl/certs/"

    # Unpacked and not installed: the package depends on the rustc of its own processor.
    [[ -e $chroot/usr/lib/rustlib/$target ]] || within sh -ec "
        dpkg --add-architecture $debian
        apt-get update
        cd /var/cache/apt/archives
        apt-get download libstd-rust-dev:$debian=\$(dpkg-query -W -f '\${Version}' libstd-rust-dev)
        dpkg-deb -x libstd-rust-dev_*_$debian.deb /
        rm libstd-rust-dev_*_$debian.deb"
}

copy_source() {
    rm -rf "$chroot/root/source"
    mkdir -p "$chroot/root/source"
    git -c safe.directory="$PWD" ls-files -z | tar --null -T - -cf - | tar -xf - -C "$chroot/root/source"
}

[[ -e $chroot/etc/apt/apt.conf.d/90cross ]] || make_chroot
install
copy_source

settings=(TARGET="$target" TRACK=no CC="$gnu-gcc" AR="$gnu-ar" OBJCOPY="$gnu-objcopy"
    CARGO_TARGET_DIR="/root/target/$arch" CARGO_BUILD_TARGET="$target"
    "CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")_LINKER=$gnu-gcc")
if [[ -n $emulator ]]; then
    # A sanitizer may hang in the emulator. The time limit ends it, and the tests go on without it.
    settings+=(KREF_EMULATOR="timeout 100 $emulator -L /usr/$gnu"
        "CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")_RUNNER=$emulator -L /usr/$gnu")
else
    ln -sf "/usr/$gnu/lib/ld-linux.so.2" "$chroot/lib/"
    echo "/usr/$gnu/lib" >"$chroot/etc/ld.so.conf.d/$gnu.conf"
    within ldconfig
fi
log=target/cross/$arch.log
mkdir -p target/cross
within env --chdir=/root/source -u CI "${settings[@]}" sh -ec '
    cargo test --locked -p kref --test rust --test number_line
    cargo test --locked -p kref --doc
    cargo test --locked -p kref-c-tests --test programs --test headers --no-fail-fast' 2>&1 | tee "$log"

echo
echo "Not run for $arch:"
sed -n 's/^test \(.*\)::[a-z-]*::[a-z]*::[a-z-]*::[a-z]* .* ignored (\(not under .*\))$/\1 \2/p' "$log" | sort -u
cat <<END
The sequences of rseq, which neither qemu-user nor i686 has: the fallback was tested.
Clang, valgrind, most sanitizers, gdb and the tracker.
END

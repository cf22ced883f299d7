#!/usr/bin/env bash
# cross.sh ARCH: builds libkref for another processor, or for musl, and runs its tests: in qemu-user, and for i686
# and musl on this machine. ARCH is aarch64, riscv64, s390x, ppc64le, armv7, i686 or musl. With KREF_CHECK=quick a
# C program is built in one way instead of five.
#
# Works in a chroot with Debian's cross compilers, rustc and the standard library of rustc for ARCH. The
# chroot is made with debootstrap the first time (CHROOT=target/cross/chroot, SUITE=forky, MIRROR) and kept:
# 5 GB for all of them. Needs root, an x86-64 processor and the network.
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
i686) names=(i686-unknown-linux-gnu i686-linux-gnu i386) ;;
musl) names=(x86_64-unknown-linux-musl) ;; # of this machine's processor
*) sed -n '2,4s/^# //p' "$0" >&2 && exit 2 ;;
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
    local packages=(ca-certificates cargo rustc make gcc libc6-dev pkg-config) missing=() package
    if [[ $arch == musl ]]; then
        packages+=(musl-tools rust-src)
    else
        packages+=(qemu-user "gcc-$gnu" "libc6-dev-$debian-cross")
    fi
    # For the litmus tests, which are about the memory models of these two.
    [[ $arch != aarch64 && $arch != riscv64 ]] || packages+=(herdtools7)
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
    [[ -e $chroot/usr/lib/rustlib/$target ]] || "rust_library_$([[ $arch == musl ]] && echo musl || echo gnu)"
}

# Unpacked and not installed: the package depends on the rustc of its own processor.
rust_library_gnu() {
    within sh -ec "
        dpkg --add-architecture $debian
        apt-get update
        cd /var/cache/apt/archives
        apt-get download libstd-rust-dev:$debian=\$(dpkg-query -W -f '\${Version}' libstd-rust-dev)
        dpkg-deb -x libstd-rust-dev_*_$debian.deb /
        rm libstd-rust-dev_*_$debian.deb"
}

# Debian has no Rust library for musl. libkref needs `core` alone, and cargo makes it from Debian's source; a
# stable cargo does so only with RUSTC_BOOTSTRAP.
rust_library_musl() {
    copy_source
    within env --chdir="/root/$arch" RUSTC_BOOTSTRAP=1 sh -ec "
        cargo -Zbuild-std=core build -p kref --locked --profile capi --target $target --target-dir /root/target/core
        mkdir -p /usr/lib/rustlib/$target/lib
        cd /root/target/core/$target/capi/deps
        cp libcore-*.rlib libcompiler_builtins-*.rlib /usr/lib/rustlib/$target/lib"
}

copy_source() {
    rm -rf "$chroot/root/$arch"
    mkdir -p "$chroot/root/$arch"
    git -c safe.directory="$PWD" ls-files -z | tar --null -T - -cf - | tar -xf - -C "$chroot/root/$arch"
}

[[ -e $chroot/etc/apt/apt.conf.d/90cross ]] || make_chroot
install
copy_source

settings=(TARGET="$target" TRACK=no CARGO_TARGET_DIR="/root/target/$arch" KREF_CHECK="${KREF_CHECK:-}")
rust=('-p kref --test line --test number_line --test percpu --test rust' '-p kref --doc')
if [[ $arch == musl ]]; then
    # The tests that are in Rust would need Rust's std for musl. The driver of the C tests is a program of glibc.
    rust=()
    settings+=(CC=musl-gcc)
    # musl-tools has no kernel headers.
    within ln -sfn -t /usr/include/x86_64-linux-musl /usr/include/linux /usr/include/asm-generic \
        /usr/include/x86_64-linux-gnu/asm
else
    variable=CARGO_TARGET_$(tr a-z- A-Z_ <<<"$target")
    settings+=(CC="$gnu-gcc" AR="$gnu-ar" OBJCOPY="$gnu-objcopy" CARGO_BUILD_TARGET="$target"
        "${variable}_LINKER=$gnu-gcc")
    [[ $arch != aarch64 && $arch != riscv64 ]] || rust+=('-p kref-c-tests --test litmus')
fi
if [[ -n $emulator ]]; then
    # A sanitizer may hang in the emulator. The time limit ends it, and the tests go on without it.
    settings+=(KREF_EMULATOR="timeout 100 $emulator -L /usr/$gnu" "${variable}_RUNNER=$emulator -L /usr/$gnu")
elif [[ $arch == i686 ]]; then
    ln -sf "/usr/$gnu/lib/ld-linux.so.2" "$chroot/lib/"
    echo "/usr/$gnu/lib" >"$chroot/etc/ld.so.conf.d/$gnu.conf"
    within ldconfig
fi
log=target/cross/$arch.log
mkdir -p target/cross
status=0
for tests in "${rust[@]}" '-p kref-c-tests --test attributes --test headers --test plugins --test programs --test unknown-callers -- --skip is_generated'; do
    # shellcheck disable=SC2086 # a list of words
    within env --chdir="/root/$arch" -u CI "${settings[@]}" cargo test --locked --no-fail-fast $tests || status=1
done > >(tee "$log") 2>&1

echo
sed -n 's/^test \(.*[^ ]\) *\.\.\. FAILED/failed for '"$arch"': \1/p' "$log"
echo "Not run for $arch:"
echo '  the sequences of rseq, which neither qemu-user nor i686 nor musl has: ci/boot.sh runs those of aarch64 and riscv64'
echo '  valgrind, gdb, the tracker, and the tests of installing and of the codegen'
reasons() { sed -n 's/^test \(.*[^ ]\) *\.\.\. ignored (\(.*\))$/\1\t\2/p' "$log"; }
reasons | sed -n 's/^\([^:]*\)::.*\t\(not under .*\)/  \1, \2/p' | sort -u
reasons | sed -n 's/.*\t//; /^not under/!p' | sort | uniq -c | sed 's/^ *\([0-9]*\) /  \1 tests: /'
exit "$status"

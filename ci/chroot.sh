# Sourced by the scripts that build libkref for another processor, or for musl, with its name as $1. Works in a chroot
# with Debian's cross compilers, rustc and the standard library of rustc for $1. The chroot is made the first time, in
# a minute or two (CHROOT=target/cross/chroot, SUITE=forky, MIRROR), and kept: 4 GB for all of them. Needs root, an
# x86-64 processor and the network.
# shellcheck shell=bash
arch=${1:?usage: $0 ARCH}
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
*) echo "$0: unknown processor $arch" >&2 && exit 2 ;;
esac
# shellcheck disable=SC2034 # ci/cross.sh uses the emulator
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
    command -v mmdebstrap >/dev/null || { apt-get update && apt-get install --yes --no-install-recommends mmdebstrap; }
    mkdir -p "$chroot"
    # A mirror may stand still for longer than its lists are valid.
    mmdebstrap --mode=root --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' \
        --aptopt='Acquire::Languages "none"' "$suite" "$chroot" "$mirror"
}

# install PACKAGE...: makes the chroot, if there is none, with the compilers and these packages. Installs what is
# missing, so that a second run needs no network.
install() {
    local packages=(ca-certificates cargo rustc make gcc libc6-dev "$@") missing=() package
    [[ -e $chroot/etc/apt/apt.conf.d/99mmdebstrap ]] || make_chroot
    if [[ $arch == musl ]]; then
        packages+=(musl-tools rust-src)
    else
        packages+=("gcc-$gnu" "libc6-dev-$debian-cross")
    fi
    for package in "${packages[@]}"; do
        within dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$package")
    done
    cp -L /etc/resolv.conf /etc/hosts "$chroot/etc/"
    if ((${#missing[@]})); then
        within apt-get update
        within apt-get install --yes --no-install-recommends "${missing[@]}"
        within apt-get clean
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

# copy_source [NAME]: the files of the working tree that git knows, in the chroot's /root/$arch, or in /root/NAME.
# shellcheck disable=SC2120 # ci/cross.sh has an argument
copy_source() {
    local to=$chroot/root/${1:-$arch}
    rm -rf "$to"
    mkdir -p "$to"
    git -c safe.directory="$PWD" ls-files -z | tar --null -T - -cf - | tar -xf - -C "$to"
}

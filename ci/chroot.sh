# Sourced by scripts that build libkref for another processor, with the processor's name as $1. Makes a chroot of
# a Debian suite that has rustc and cross compilers, the first time in about a minute, and keeps it
# (CHROOT=target/cross/chroot, SUITE=forky, MIRROR). Needs root, an x86-64 machine and the network.
# shellcheck shell=bash
arch=${1:?usage: $0 ARCH}
chroot=$(realpath -m "${CHROOT:-target/cross/chroot}")
suite=${SUITE:-forky}
mirror=${MIRROR:-http://deb.debian.org/debian}

case $arch in # the name that Rust has for the target, then GNU's, then Debian's
aarch64) names=(aarch64-unknown-linux-gnu aarch64-linux-gnu arm64) ;;
riscv64) names=(riscv64gc-unknown-linux-gnu riscv64-linux-gnu riscv64) ;;
*) echo "$0: $arch is not aarch64 or riscv64" >&2 && exit 2 ;;
esac
read -r target gnu debian <<<"${names[*]}"

# Runs a command in the chroot. The mounts end with the command, so nothing is left to be unmounted.
within() {
    unshare --mount sh -c 'root=$1; shift
        mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
        mountpoint -q "$root/dev" || mount --bind /dev "$root/dev"
        exec chroot "$root" env HOME=/root DEBIAN_FRONTEND=noninteractive \
            CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt "$@"' - "$chroot" "$@"
}

# Makes the chroot with these packages. Later it installs what is missing, so that a second run needs no network.
install() {
    local packages=(ca-certificates cargo rustc make gcc libc6-dev "gcc-$gnu" "libc6-dev-$debian-cross" "$@")
    local missing=() package
    if [[ ! -e $chroot/etc/apt/apt.conf.d/99mmdebstrap ]]; then
        command -v mmdebstrap >/dev/null || { apt-get update && apt-get install --yes mmdebstrap; }
        mkdir -p "$chroot"
        # A mirror may stand still for longer than its lists are valid.
        mmdebstrap --mode=root --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' \
            --aptopt='Acquire::Languages "none"' "$suite" "$chroot" "$mirror"
    fi
    cp -L /etc/resolv.conf /etc/hosts "$chroot/etc/"
    for package in "${packages[@]}"; do
        within dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$package")
    done
    if ((${#missing[@]})); then
        within dpkg --add-architecture "$debian"
        within apt-get --quiet update
        within apt-get --quiet install --yes --no-install-recommends "${missing[@]}"
    fi
    # Where the machine trusts a proxy's certificates, so must cargo.
    ! [[ -e /etc/ssl/certs/ca-certificates.crt ]] ||
        cp -L /etc/ssl/certs/ca-certificates.crt "$chroot/etc/ssl/certs/"

    # Unpacked and not installed: the package depends on the rustc of its own processor.
    [[ -e $chroot/usr/lib/rustlib/$target ]] || within sh -ec "
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

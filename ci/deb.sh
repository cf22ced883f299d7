#!/usr/bin/env bash
# deb.sh [COMPILER...]: builds the Debian packages as Debian does, and tests them. COMPILER is rustc, Debian 13's
# own (1.85, too old for kref-track), or rustc-web, which builds kref-track, too. Without arguments: both.
#
# The source is a clean clone of HEAD. Its tarball and debian/ are built without a network, in a chroot with
# Debian 13. Then lintian checks the packages, dpkg installs them, and autopkgtest runs the tests in debian/tests.
# The chroot is made with debootstrap the first time (CHROOT=target/deb/chroot, MIRROR) and kept: 2 GB.
# Needs root, git, make, cargo and the network. On two cores that others used, too, the first run took 3.5
# minutes for rustc alone, and a later one 8 minutes for both; on busy cores a first run for both takes 12.
set -euo pipefail
cd "$(dirname "$0")/.."
chroot=$(realpath -m "${CHROOT:-target/deb/chroot}")
mirror=${MIRROR:-http://deb.debian.org/debian}
clone=target/deb/clone

# Runs a command in the chroot. The mounts end with the command, so nothing is left to be unmounted.
within() {
    unshare --mount sh -c 'root=$1; shift
        mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
        mountpoint -q "$root/dev" || mount --bind /dev "$root/dev"
        exec chroot "$root" env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"' - "$chroot" "$@"
}

make_chroot() {
    command -v debootstrap >/dev/null || { apt-get update && apt-get install --yes debootstrap; }
    debootstrap --variant=minbase trixie "$chroot" "$mirror"
    printf '#!/bin/sh\nexit 101\n' >"$chroot/usr/sbin/policy-rc.d"
    chmod +x "$chroot/usr/sbin/policy-rc.d"
    echo force-unsafe-io >"$chroot/etc/dpkg/dpkg.cfg.d/unsafe-io"
    # A mirror may stand still for longer than its lists are valid.
    echo 'Acquire::Check-Valid-Until "false";' >"$chroot/etc/apt/apt.conf.d/90deb"
}

install() {
    within apt-get install --yes --no-install-recommends "$@"
    within apt-get clean
}

make_tarball() {
    rm -rf "$clone" "$chroot/build"
    git -c safe.directory="$PWD" clone --quiet . "$clone"
    make -C "$clone" TARGET_DIR=target dist
}

# Builds in /build/COMPILER of the chroot, as `dpkg-buildpackage OPTION...` does, without a network.
build() {
    local compiler=$1 folder=$chroot/build/$1 tarball source
    shift
    install "$compiler" "${compiler/rustc/cargo}"

    tarball=$(echo "$clone"/target/libkref-*.tar.gz)
    source=$(basename "$tarball" .tar.gz)
    mkdir -p "$folder"
    cp "$tarball" "$folder/${source/-/_}.orig.tar.gz"
    tar -xzf "$tarball" -C "$folder"
    cp -r "$clone/debian" "$folder/$source"
    within unshare --net env --chdir="/build/$compiler/$source" \
        dpkg-buildpackage --unsigned-source --unsigned-changes "$@"
}

# try COMPILER STATUS: tests the packages that `build COMPILER` has made. autopkgtest must end with STATUS.
try() {
    # dh_strip moves debug information into the packages -dbgsym. /kref is what the Makefile calls our source:
    # Rust's own library always has debug information.
    local package
    for package in "$chroot/build/$1"/libkref[0-9]*-dbgsym_*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -xO --wildcards '*.debug' >target/deb/debug
        readelf --debug-dump=info --dwarf-depth=1 target/deb/debug 2>&1 | grep 'DW_AT_comp_dir.*: /kref$' || {
            echo "deb.sh: $package has no debug information of libkref" >&2
            return 1
        }
    done

    # The suppressed tag says that C code would call fortified functions. rustc never does.
    within env --chdir="/build/$1" sh -ec '
        lintian --allow-root --no-override --pedantic --display-info --fail-on error,warning,info \
            --suppress-tags hardening-no-fortify-functions *.changes
        dpkg --purge kref-track libkref-dev libkref0.2
        rm *-dbgsym_*.deb
        dpkg --install *.deb
        status=0
        autopkgtest --no-built-binaries *.deb *.dsc -- null || status=$?
        [ "$status" = "$1" ]' - "$2"
}

[[ -e $chroot/etc/apt/apt.conf.d/90deb ]] || make_chroot
cp -L /etc/resolv.conf /etc/hosts "$chroot/etc/"
within apt-get update
install autopkgtest build-essential debhelper fakeroot lintian pkgconf
make_tarball
(($#)) || set -- rustc rustc-web
for compiler; do
    case $compiler in
    rustc)
        build rustc -Ppkg.libkref.notrack
        try rustc 2 # a test was skipped, which needs kref-track
        ;;
    rustc-web)
        build rustc-web
        try rustc-web 0
        ;;
    *) sed -n '2,3s/^# //p' "$0" >&2 && exit 2 ;;
    esac
    echo "deb.sh: the packages that $compiler has built are good"
done

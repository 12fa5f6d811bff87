# Shared by the scripts of qemu-scripts; sourced, not run. Bash.
# Sets `root` (the repository), `target` (cargo's build folder); the functions are described one by one.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
PATH=$PATH:/usr/sbin:/sbin

# say TEXT...: one line of what is going on, with the time since the script began.
say() {
    printf '[%3d s] %s\n' "$SECONDS" "$*" >&2
}

# die TEXT...: the reason, then the end.
die() {
    say "error: $*"
    exit 1
}

# long TEXT COMMAND...: runs a long, chatty command with its output in a log. On a terminal one line shows that it goes on,
# with the last thing that it said; elsewhere a line at the start and at the end. If it fails, the end of the log is shown.
long() {
    local text=$1 log began=$SECONDS pid status
    shift
    mkdir -p "$target/logs"
    log=$(mktemp "$target/logs/XXXXXX")
    [ -t 2 ] || say "$text ..."
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    if [ -t 2 ]; then
        while kill -0 "$pid" 2>/dev/null; do
            printf '\r\033[K[%3d s] %s: %d s  %s' "$SECONDS" "$text" $((SECONDS - began)) \
                "$(tail -n 1 "$log" | tr -dc '[:print:]' | cut -c 1-60)" >&2
            sleep 0.5
        done
        printf '\r\033[K' >&2
    fi
    status=0
    wait "$pid" || status=$?
    if [ "$status" != 0 ]; then
        tail -n 40 "$log" >&2
        die "$text: failed with status $status (all of it: $log)"
    fi
    rm -f "$log"
    say "$text: done in $((SECONDS - began)) s"
}

# as_root COMMAND...: the command with root's rights.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root's rights and there is no sudo; as root, run: $*"
    fi
}

# packages GROUP...: the packages that lib/packages lists for these groups.
packages() {
    local group
    for group in "$@"; do
        sed -n "s/^$group: *//p" "$root/qemu-scripts/lib/packages"
    done | tr -s ' ' '\n' | sort -u
}

apt_install() {
    as_root flock /tmp/spindle-apt.lock env DEBIAN_FRONTEND=noninteractive \
        apt-get -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
}

apt_update() {
    as_root flock /tmp/spindle-apt.lock apt-get -o DPkg::Lock::Timeout=300 update
}

apt_update_and_install() {
    apt_update || { sleep 10 && apt_update; }
    apt_install "$@"
}

# need GROUP...: installs what is missing of the groups' packages.
need() {
    local missing=() package
    command -v apt-get >/dev/null || die "this needs Debian or a relative of it (no apt-get here)"
    for package in $(packages "$@"); do
        [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" = "ii " ] || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    [ "$(id -u)" = 0 ] || as_root -v
    long "installing ${missing[*]}" apt_update_and_install "${missing[@]}"
}

# need_rust: a Rust toolchain that is new enough, or an explanation.
need_rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"
    found=$(rustc --version 2>/dev/null | awk '{print $2}') || found=
    if [ -z "$found" ] || ! printf '%s\n%s\n' "$wanted" "${found%%-*}" | sort -V -C; then
        die "Spindle needs Rust $wanted or newer; ${found:-none} is installed, and Debian 12's own (1.63) is too old.
        Install rustup as rustup.rs says (it needs no root's rights), then run this again."
    fi
}

# guest: builds the test guest (kernel, initramfs, boot disc) unless it is there; prints its folder.
guest() {
    "$root/qemu-scripts/lib/guest"
}

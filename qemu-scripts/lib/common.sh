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

# need GROUP...: installs what is missing of the groups' packages. Installing one may remove another that came from
# elsewhere (QEMU's tools of backports give way to Debian's QEMU), so what is missing then is installed in a second round.
need() {
    local wanted
    command -v apt-get >/dev/null || die "this needs Debian or a relative of it (no apt-get here)"
    for _ in 1 2; do
        mapfile -t wanted < <(missing $(packages "$@"))
        [ ${#wanted[@]} = 0 ] && return
        [ "$(id -u)" = 0 ] || as_root -v
        long "installing ${wanted[*]}" apt_update_and_install "${wanted[@]}"
    done
    mapfile -t wanted < <(missing $(packages "$@"))
    [ ${#wanted[@]} = 0 ] || die "apt did not keep ${wanted[*]}: another package that is installed does not go with it"
}

# missing PACKAGE...: those that are not installed, one on a line.
missing() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" = "ii " ] || echo "$package"
    done
}

# need_rust: a Rust toolchain that is new enough. Where there is none, Debian's newest is installed: `rustc-web`, which
# follows the web browsers' needs in stable releases, or else rustup.
need_rust() {
    local wanted
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    [ -f "$HOME/.cargo/env" ] && . "$HOME/.cargo/env"
    rust_reaches "$wanted" && return
    command -v rustup >/dev/null && die "Spindle needs Rust $wanted or newer; run: rustup update stable"
    command -v apt-get >/dev/null || die "Spindle needs Rust $wanted or newer; install rustup as rustup.rs says"
    [ "$(id -u)" = 0 ] || as_root -v
    long "asking Debian for Rust $wanted or newer" apt_update
    if at_least "$wanted" "$(candidate rustc-web)"; then
        need rust
    elif [ -n "$(candidate rustup)" ]; then
        long "installing rustup" apt_install rustup
        long "installing Rust" rustup toolchain install stable --profile minimal -c clippy -c rustfmt
        rustup default stable
    fi
    rust_reaches "$wanted" || die "Spindle needs Rust $wanted or newer and apt has none; install rustup as rustup.rs says"
}

# need_nightly: a nightly Rust, after need_rust. Only rustup has one, and Debian's Rust may be there without it.
need_nightly() {
    rustup run nightly cargo --version >/dev/null 2>&1 && return
    command -v rustup >/dev/null || die "fuzzing needs a nightly Rust, and only rustup has one: install rustup as rustup.rs says" \
        "(where Debian's Rust is installed, give its installer -y), then run: rustup toolchain install nightly --profile minimal"
    long "installing a nightly Rust" rustup toolchain install nightly --profile minimal
}

rust_reaches() {
    command -v cargo >/dev/null && at_least "$1" "$(rustc --version 2>/dev/null | awk '{print $2}')"
}

# at_least WANTED FOUND: compares version numbers; an empty one is too old.
at_least() {
    [ -n "$2" ] && printf '%s\n%s\n' "$1" "${2%%-*}" | sort -V -C
}

# candidate PACKAGE: the version that apt would install, if any.
candidate() {
    apt-cache policy "$1" | sed -n 's/^  Candidate: \([0-9][^+]*\).*/\1/p'
}

# guest: builds the test guest (kernel, initramfs, boot disc) unless it is there; prints its folder.
guest() {
    "$root/qemu-scripts/lib/guest"
}

# Where this machine gets its Debian packages from; sourced after common.sh. Nothing here names a mirror: all is read from apt.

# debian_sources: one line a source, "URI CODENAME COMPONENT", for Debian's own ones.
debian_sources() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(ORIGIN)|$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' \
        "Architecture: $(dpkg --print-architecture)" | sed -n 's/^Debian|//p' | sort -u
}

# need_sources: fetches apt's lists if they are not there; fails if Debian is not among them.
need_sources() {
    [ -n "$(debian_sources)" ] || long "reading the package lists" apt_update
    [ -n "$(debian_sources)" ] || die "apt knows no Debian source"
}

# debian_codename: this release's.
debian_codename() {
    (. /etc/os-release && echo "$VERSION_CODENAME")
}

# debian_mirror: the URI that serves this release itself.
debian_mirror() {
    debian_sources | awk -v codename="$(debian_codename)" '$2 == codename && $3 == "main" { print $1; exit }'
}

# source_lines: standard input's "URI CODENAME COMPONENT" as lines of a sources.list, checked against Debian's keys.
source_lines() {
    sed 's|^|deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] |'
}

"""The soak that `qemu-scripts/soak` starts: puts it together, waits, prints the table."""

import argparse
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from daemon import Daemon, defects
from discs import ENDINGS, Discs
from guest import Guest
from machine import Machine
from tally import FORGIVEN, REPORTED, SESSIONS, STRICT, Tally

BLOCKS = 4096
# Those whose daemon is not killed, by QEMU.
GUESTS = ["old", "new"]
ROWS = ["requests", "bytes checked", "swaps", "tray moves", "faults", "stops", "restarts of spindled",
        "resets, panics, kills of a machine", "connections of bare front-ends"]
# A front-end without a machine takes seconds: its work, and until it says of a request that it was lost.
FRONT_END = 300
NUDGE = 30
# What an idle daemon may have more of at the end. Free memory is given back after each connection, but not within a page of one in use.
MORE = {"resident kB, no file's": 4096, "descriptors": 0, "threads": 0}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--minutes", type=int, required=True)
    options.add_argument("--programs", type=pathlib.Path, required=True)
    options.add_argument("--driver", required=True)
    options.add_argument("--guest", type=pathlib.Path, required=True)
    options.add_argument("--qemu", action="append", required=True, help="one that does not connect again, then one that does")
    options.add_argument("--folder", type=pathlib.Path, required=True)
    options = options.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(dir=options.folder))
    tally = Tally()
    begin = time.monotonic()
    over = lambda: time.monotonic() - begin >= options.minutes * 60
    discs = Discs(options.programs / "spindle", folder, BLOCKS)

    # With a cache that the warm-up fills: what memory grows by later is no cache.
    steady = start_daemon(options, folder / "steady", [*GUESTS, *ENDINGS], "--cache-size", "16M")
    killed = start_daemon(options, folder / "killed", ["again"], "--state-dir", folder / "state")
    plain = warm_up(options.driver, steady, discs, tally)
    early = idle(steady)
    guests = [start_guest(options, folder, name, qemu, daemon, discs, tally)
              for name, qemu, daemon in [("old", 0, steady), ("new", 1, steady), ("again", 1, killed)]]
    threads = [threading.Thread(target=guest.run, args=(over,)) for guest in guests]
    threads.append(threading.Thread(target=front_ends, args=(options.driver, steady, plain, tally, over)))
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        progress(tally, begin, options.minutes)
    for guest in guests:
        guest.machine.kill()
    late = early
    with tally.failing("at the end"):
        late = idle(steady)
    for daemon in (steady, killed):
        name = f"spindled, {daemon.folder.name}"
        with tally.failing(name):
            daemon.end()
        for line in defects(daemon.log):
            tally.unexpected(name, line)
    good = table(tally, early, late, (time.monotonic() - begin) / 60)
    if good:
        shutil.rmtree(folder)
    else:
        print("\n".join(tally.stories), f"the logs: {folder}", sep="\n", file=sys.stderr)
    sys.exit(0 if good else 1)


def start_daemon(options, folder, drives, *more):
    folder.mkdir()
    return Daemon(options.programs, folder, drives, *more)


def start_guest(options, folder, name, qemu, daemon, discs, tally):
    own = folder / name
    own.mkdir()
    restarts = daemon.folder.name == "killed"
    machine = Machine(name, options.qemu[qemu], options.guest, own, daemon.socket(name), restarts)
    return Guest(machine, daemon, discs, tally, restarts)


def warm_up(driver, daemon, discs, tally):
    """A disc of its format for each drive of the front-ends, read once; likewise one for each drive of a guest. What each format's
    plain ISO is."""
    plain = {}
    for name in [*GUESTS, *ENDINGS]:
        _, image, plain[name] = discs.make(name if name in ENDINGS else "cso")
        daemon.ask("insert", "--drive", name, image)
        # So that whoever waits for time to pass is there.
        daemon.ask("fault", "delay", "--drive", name, "--blocks", 0, "--seconds", 0.01)
        front_end(driver, daemon, name, plain[name], tally, "--block", "64K", "--depth", 32, "--queues", 4, "--once")
        daemon.ask("fault", "clear", "--drive", name)
    return plain


def front_end(driver, daemon, drive, plain, tally, *arguments, killed_after=None):
    """One front-end without a machine, which compares all that it reads with the plain ISO."""
    command = [driver, "--json", "--call", "--nudge", NUDGE, "--socket", daemon.socket(drive), "--verify", plain, *arguments]
    running = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    tally.add("connections of bare front-ends")
    if killed_after is not None:
        time.sleep(killed_after)
        running.kill()
        running.communicate()
        return
    try:
        told, errors = running.communicate(timeout=FRONT_END)
    except subprocess.TimeoutExpired:
        running.kill()
        told, errors = None, f"not done after {FRONT_END} s: {running.communicate()[1]}"
    if told:
        tally.driven(f"front-end of {drive}", json.loads(told))
    else:
        tally.unexpected(f"front-end of {drive}", errors)


def front_ends(driver, daemon, plain, tally, over):
    """They come, read some of one drive, and go; some are killed at it."""
    choose = random.Random("front-ends")
    with tally.failing("front-ends"):
        while not over():
            drive = choose.choice(ENDINGS)
            how = ["--count", choose.randint(1, 20000), "--depth", choose.choice([1, 4, 32]), "--queues", choose.randint(1, 4)]
            how += ["--block", choose.choice(["2K", "4K", "64K"]), *choose.choice([[], ["--random"], ["--no-indirect"], ["--no-event-idx"]])]
            killed_after = choose.uniform(0, 0.5) if choose.random() < 0.3 else None
            front_end(driver, daemon, drive, plain[drive], tally, *how, killed_after=killed_after)
            time.sleep(0.5)


def idle(daemon):
    """What the daemon holds when nobody is there and the guests' drives are empty."""
    for name in GUESTS:
        if "medium" in daemon.drive(name):
            daemon.ask("eject", "--force", "--drive", name)
        daemon.ask("tray", "close", "--drive", name)
    before = None
    while (now := daemon.resources()) != before:
        before = now
        time.sleep(3)
    return now


def progress(tally, begin, minutes):
    time.sleep(30)
    counts = ", ".join(f"{tally.counts[name]} {name}" for name in [*ROWS[:5], "unexpected errors", "wrong bytes"])
    print(f"[{(time.monotonic() - begin) / 60:.1f} of {minutes} min] {counts}", file=sys.stderr, flush=True)


def table(tally, early, late, minutes):
    """Prints what was done; whether it was as it must be."""
    print(f"{'minutes':36}{minutes:16.1f}")
    counts = tally.counts
    rows = {name: counts[name] for name in [*ROWS, SESSIONS, STRICT, FORGIVEN]}
    rows["sessions without a report"] = unreported = counts[SESSIONS] - counts[REPORTED]
    rows |= {name: counts[name] for name in ["unexpected errors", "wrong bytes"]}
    for name, number in rows.items():
        print(f"{name:36}{number:16,}")
    print(f"{'spindled, when nobody is there':36}{'early':>16}{'at the end':>16}")
    flat = True
    for (name, more), before, after in zip(MORE.items(), early, late):
        grown = after > before + more
        flat &= not grown
        print(f"{name:36}{before:16,}{after:16,}{'   GROWN' if grown else ''}")
    sound = not counts["unexpected errors"] and not counts["wrong bytes"] and not unreported
    return flat and sound and counts["requests"] > 0 and counts[STRICT] > 0


main()

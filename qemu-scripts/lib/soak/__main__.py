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

from daemon import Daemon
from discs import ENDINGS, Discs
from guest import Guest
from machine import Machine
from tally import Tally

BLOCKS = 4096
ROWS = ["requests", "bytes checked", "swaps", "tray moves", "faults", "stops", "restarts of spindled",
        "resets, panics, kills of a machine", "connections of bare front-ends"]
# How often the daemon is looked at, and for how long before that counts.
LOOK = 2
WARM = 90
# What may be more at the end: memory in part, as the allocator has it, and the files of a disc.
MORE_KILOBYTES, MORE_DESCRIPTORS, MORE_THREADS = 8192, 4, 2


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
    stopped = threading.Event()
    over = lambda: stopped.is_set() or time.monotonic() - begin >= options.minutes * 60
    discs = Discs(options.programs / "spindle", folder, BLOCKS)

    steady = start_daemon(options, folder / "steady", ["old", "new", *ENDINGS])
    killed = start_daemon(options, folder / "killed", ["again"], "--state-dir", folder / "state")
    guests = [start_guest(options, folder, name, qemu, daemon, discs, tally)
              for name, qemu, daemon in [("old", 0, steady), ("new", 1, steady), ("again", 1, killed)]]
    looks = []
    threads = [threading.Thread(target=guest.run, args=(over,)) for guest in guests]
    threads.append(threading.Thread(target=front_ends, args=(options.driver, steady, discs, tally, over)))
    threads.append(threading.Thread(target=look, args=(steady, looks, over)))
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            progress(tally, begin, options.minutes)
    except KeyboardInterrupt:
        stopped.set()
        for thread in threads:
            thread.join()
    for guest in guests:
        guest.machine.kill()
    steady.end()
    killed.end()
    good = table(tally, looks, (time.monotonic() - begin) / 60)
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


def front_ends(driver, daemon, discs, tally, over):
    """Front-ends without a machine that come, read some of one drive, and go; some are killed at it."""
    choose = random.Random("front-ends")
    plain = {}
    for ending in ENDINGS:
        _, image, plain[ending] = discs.make(ending)
        daemon.ask("insert", "--drive", ending, image)
    while not over():
        drive = choose.choice(ENDINGS)
        command = [driver, "--json", "--call", "--socket", daemon.socket(drive), "--verify", plain[drive], "--count", choose.randint(1, 20000),
                   "--depth", choose.choice([1, 4, 32]), "--queues", choose.randint(1, 4), "--block", choose.choice(["2K", "4K", "64K"])]
        command += choose.choice([[], ["--random"], ["--no-indirect"], ["--no-event-idx"]])
        running = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if choose.random() < 0.3:
            time.sleep(choose.uniform(0, 0.5))
            running.kill()
            running.communicate()
        else:
            told, errors = running.communicate()
            if told:
                tally.driven(f"front-end of {drive}", json.loads(told))
            else:
                tally.unexpected(f"front-end of {drive}", errors)
        tally.add("connections of bare front-ends")
        time.sleep(0.5)


def look(daemon, looks, over):
    while not over():
        looks.append(daemon.resources())
        time.sleep(LOOK)


def progress(tally, begin, minutes):
    time.sleep(30)
    counts = ", ".join(f"{tally.counts[name]} {name}" for name in [*ROWS[:5], "unexpected errors", "wrong bytes"])
    print(f"[{(time.monotonic() - begin) / 60:.1f} of {minutes} min] {counts}", file=sys.stderr, flush=True)


def table(tally, looks, minutes):
    """Prints what was done; whether it was as it must be."""
    print(f"{'minutes':36}{minutes:16.1f}")
    for name in [*ROWS, "unexpected errors", "wrong bytes"]:
        print(f"{name:36}{tally.counts[name]:16,}")
    # The least of a while: what is held when nobody is about to come or go.
    looks = looks[min(WARM // LOOK, len(looks) // 3):]
    part = max(1, len(looks) // 4)
    early, late = ([min(values) for values in zip(*some)] for some in (looks[:part], looks[-part:]))
    print(f"{'':36}{'early':>16}{'at the end':>16}")
    flat = True
    for name, before, after, more in zip(["resident kB, no file's", "descriptors", "threads"], early, late,
                                         [MORE_KILOBYTES, MORE_DESCRIPTORS, MORE_THREADS]):
        grown = after > before + more
        flat &= not grown
        print(f"{name:36}{before:16,}{after:16,}{'   GROWN' if grown else ''}")
    return flat and not tally.counts["unexpected errors"] and not tally.counts["wrong bytes"] and tally.counts["requests"] > 0


main()

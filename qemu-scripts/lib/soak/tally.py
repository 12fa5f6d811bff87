"""What was done and what came of it, counted by all threads."""

import collections
import contextlib
import threading
import traceback

# What is counted of the guests' sessions: all; those whose readers have reported; those of them in which no error was forgiven.
SESSIONS = "sessions of guests"
REPORTED = "sessions with a report"
STRICT = "sessions with nothing forgiven"
FORGIVEN = "errors that were forgiven"

# What a guest may see while its medium changes, and only then: no medium, or a unit attention for the medium or its removal; the kernel tells its
# own readers only that the medium is not there (EIO, ENOMEDIUM, a device without a size).
CHANGES = {f"sense {sense}" for sense in ("2/3a/00", "2/3a/01", "2/3a/02", "6/28/00", "6/3a/00", "2/04/01")}
CHANGES |= {"error 5", "error 123", "error short"}


class Tally:
    def __init__(self):
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.stories = []

    def add(self, name, number=1):
        with self.lock:
            self.counts[name] += number

    def unexpected(self, who, what):
        with self.lock:
            self.counts["unexpected errors"] += 1
            self.stories.append(f"{who}: {what}")

    @contextlib.contextmanager
    def failing(self, who):
        """What goes wrong inside is told, and fails the soak."""
        try:
            yield
        except Exception as error:
            self.unexpected(who, f"{error!r}, in\n{traceback.format_exc()}")

    def wrong(self, who, what):
        with self.lock:
            self.counts["wrong bytes"] += 1
            self.stories.append(f"{who}: WRONG: {what}")

    def report(self, who, text):
        """What a reader in a guest reported at its end (tests/guest/read_load.rs); how many errors of it were forgiven. Wrong bytes are
        told on the console."""
        forgiven, reads = 0, None
        for line in text.splitlines():
            name, _, number = line.rpartition(" ")
            if name == "reads":
                reads = int(number)
                self.add("requests", reads)
            elif name == "bytes":
                self.add("bytes checked", int(number))
            elif name.removeprefix("changing ") in CHANGES and name.startswith("changing "):
                forgiven += int(number)
            elif name != "discs" and not line.startswith("wrong:"):
                self.unexpected(who, line)
        if not reads:
            self.unexpected(who, f"it has read nothing: {text!r}")
        self.add(FORGIVEN, forgiven)
        return forgiven

    def driven(self, who, told):
        """What a bare front-end found."""
        self.add("requests", told["requests"])
        self.add("bytes checked", told["bytes"])
        if told["mismatches"]:
            self.wrong(who, told)
        elif told["errors"] or told["stalls"]:
            self.unexpected(who, told)

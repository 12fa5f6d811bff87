"""spindled as a process, and spindle on its control socket."""

import json
import pathlib
import signal
import subprocess
import time

PATIENCE = 120
# Before a command that is not to outlive whoever starts it.
MORTAL = ["setpriv", "--pdeathsig", "KILL", "--"]
# What spindled says of a defect of its own. It ends a connection at most, and a machine that connects again would not notice.
DEFECTS = ("panicked", "a defect of spindled")


class Daemon:
    """With one drive and one socket for each name of `drives`."""

    def __init__(self, programs, folder, drives, *options):
        self.spindle = programs / "spindle"
        self.folder = folder
        self.command = [*MORTAL, programs / "spindled", "--control", folder / "control", "--log-level", "info", *options]
        for name in drives:
            self.command += ["--drive", f"name={name},socket={self.socket(name)}"]
        self.log = folder / "spindled.log"
        self.start()

    def socket(self, name):
        return self.folder / f"{name}.socket"

    def start(self):
        ready = self.log.read_text().count("ready") if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=log)
        wait("spindled is ready", lambda: self.log.read_text().count("ready") > ready)

    def restart(self, by):
        """Ends it by this signal at whatever it is doing."""
        self.process.send_signal(by)
        self.process.wait()
        self.start()

    def end(self):
        self.process.terminate()
        # Killed, where the thread has ended that started it again.
        if (status := self.process.wait(PATIENCE)) not in (0, -signal.SIGKILL):
            raise RuntimeError(f"spindled ended with status {status}")

    def connections(self):
        return self.log.read_text().count("a front-end connected")

    def ask(self, *arguments):
        """`spindle ARGUMENTS`, which must succeed; what it printed."""
        done = subprocess.run([self.spindle, *map(str, arguments)], env={"SPINDLE_CONTROL": str(self.folder / "control")},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode:
            raise RuntimeError(f"spindle {' '.join(map(str, arguments))}: status {done.returncode} {done.stderr}")
        return done.stdout

    def drive(self, name):
        return next(drive for drive in json.loads(self.ask("status", "--json")) if drive["name"] == name)

    def resources(self):
        """Kilobytes that it holds and are no file's, descriptors, threads."""
        proc = pathlib.Path(f"/proc/{self.process.pid}")
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        return int(status["RssAnon"].split()[0]), len(list((proc / "fd").iterdir())), int(status["Threads"])


def defects(log):
    """The lines of a log that tell of a defect."""
    return [line for line in log.read_text(errors="replace").splitlines() if any(word in line for word in DEFECTS)]


def wait(what, done, patience=PATIENCE):
    """Until it is done; an error when that takes too long."""
    deadline = time.monotonic() + patience
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"never: {what}")
        time.sleep(0.05)

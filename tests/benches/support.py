"""What the benchmark scripts share: programs to build, back-ends to start, the driver to run, discs to read."""

import copy
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = ROOT / "target"
SPINDLE = TARGET / "release/spindle"
SPINDLED = TARGET / "release/spindled"
DECODE = TARGET / "release/examples/decode"
PEER = TARGET / "peer/bin/vhost-device-scsi"
BLOCK = 2048


def run(*command, **options):
    """Runs a command to its end; its standard output."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stderr.decode()}{done.stdout.decode()}")
    return done.stdout.decode()


def build(jobs, with_peer=True):
    """Builds the driver, Spindle as people get it, and the peer if it is asked for and not there; the driver's path."""
    made = run("cargo", "bench", "-j", jobs, "--no-run", "--bench", "drive", "--message-format=json", cwd=ROOT)
    messages = [json.loads(line) for line in made.splitlines() if line.startswith("{")]
    driver = [one["executable"] for one in messages if one.get("target", {}).get("name") == "drive" and one.get("executable")]
    run("cargo", "build", "-j", jobs, "--release", "--bins", "--example", "decode", cwd=ROOT)
    if with_peer and not PEER.exists():
        # Not in this folder: the peer is no part of the package.
        where = ["--root", TARGET / "peer", "--target-dir", TARGET / "peer-build"]
        run("cargo", "install", "-j", jobs, "vhost-device-scsi", *where, cwd=TARGET)
    return pathlib.Path(driver[-1])


class Machine:
    """How programs run: the back-end on one processor and the driver on another; with `first`, before everything else."""

    def __init__(self, driver, folder, pin=True, first=False):
        self.driver = driver
        self.folder = folder
        processors = sorted(os.sched_getaffinity(0))
        self.pinned = (processors[:1], processors[-1:]) if pin and len(processors) > 1 else (processors, processors)
        self.first = first

    def unhurried(self):
        """The same machine, nothing before anything else."""
        other = copy.copy(self)
        other.first = False
        return other

    def prepare(self, processors):
        def prepare():
            os.sched_setaffinity(0, processors)
            if self.first:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))

        return prepare

    def start(self, command, everywhere=False, **options):
        processors = self.pinned[0] + self.pinned[1] if everywhere else self.pinned[1]
        log = open(self.folder / "log", "ab")
        command = [str(part) for part in command]
        return subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=self.prepare(processors), **options)

    def drive(self, *arguments, everywhere=False, timeout=300):
        """Runs the driver; what it found."""
        processors = self.pinned[0] + self.pinned[1] if everywhere else self.pinned[0]
        command = [str(part) for part in (self.driver, "--json", *arguments)]
        done = subprocess.run(command, capture_output=True, timeout=timeout, preexec_fn=self.prepare(processors))
        if done.returncode:
            sys.exit(f"{' '.join(command)}: status {done.returncode}\n{done.stderr.decode()}{done.stdout.decode()}")
        return json.loads(done.stdout)

    def decode(self, image):
        """Decodes an image from memory in one thread: megabytes per second of a processor, and microseconds for one block."""
        done = subprocess.run([DECODE, image], capture_output=True, check=True, preexec_fn=self.prepare(self.pinned[1]))
        found = json.loads(done.stdout)
        return found["mb_per_cpu_s"], found["block_p50_us"]


def thread_seconds(pid, name):
    """Processor seconds that the threads of a process with this name have had."""
    of = [thread for thread in pathlib.Path(f"/proc/{pid}/task").iterdir() if (thread / "comm").read_text().strip() == name]
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in of) / 1e9


# Where a command names the socket.
SOCKET = object()


class Backend:
    """A back-end that listens, until it is left."""

    def __init__(self, machine, command, everywhere=False):
        self.socket = machine.folder / "socket"
        self.socket.unlink(missing_ok=True)
        self.process = machine.start([part if part is not SOCKET else self.socket for part in command], everywhere)
        while not self.socket.exists():
            if self.process.poll() is not None:
                sys.exit(f"{command[0]} ended: see {machine.folder / 'log'}")
            time.sleep(0.0002)
        # It is bound now; listening is the next thing that it does.
        time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def spindled(*images):
    return [SPINDLED, "--socket-path", SOCKET, "--log-level", "warn", *images]


def peer(image):
    return [PEER, "--read-only", "--socket-path", SOCKET, image]


def ready(machine, *arguments):
    """Seconds from the start of spindled until it takes a connection."""
    path = machine.folder / "socket"
    path.unlink(missing_ok=True)
    begin = time.monotonic()
    process = machine.start([part if part is not SOCKET else path for part in spindled(*arguments)], everywhere=True)
    while True:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(path))
                break
            except OSError:
                if process.poll() is not None:
                    sys.exit(f"spindled ended: see {machine.folder / 'log'}")
                time.sleep(0.0001)
    took = time.monotonic() - begin
    process.terminate()
    process.wait()
    return took


def resident(pid):
    """Kilobytes that a process holds: in all, and those that are no file's."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return tuple(int(fields[name].split()[0]) for name in ("VmRSS", "RssAnon"))


def forget(path):
    """Drops a file from the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def remember(path):
    """Reads a file into the page cache."""
    with open(path, "rb") as file:
        while file.read(1 << 20):
            pass


def timed(machine, command):
    """Wall and processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    process = machine.start(command, everywhere=True)
    if process.wait():
        sys.exit(f"{command[0]}: status {process.returncode}")
    took = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def disc(folder, megabytes):
    """An ISO that holds so much of the programs and libraries of this machine."""
    if not shutil.which("xorriso"):
        sys.exit("no xorriso here")
    content = folder / "content"
    content.mkdir()
    run("sh", "-c", f"tar -C / -cf - usr/lib usr/bin | head -c {megabytes}M >{content}/tar")
    run("xorriso", "-as", "mkisofs", "-quiet", "-R", "-o", folder / "disc.iso", content)
    (content / "tar").unlink()
    return folder / "disc.iso"

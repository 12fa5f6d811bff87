"""One machine's part of the soak: it reads all the time, and things happen to it, until the time is over."""

import contextlib
import random
import shutil
import signal
import time
import traceback

from tally import REPORTED, SESSIONS, STRICT

# The guest's readers stay below this block; faults are beyond it, where only who expects them reads.
FAULTS_FROM = 3000
READERS = {"sg": "/dev/sg0", "block": "/dev/sr0"}
# In the guest, while its medium changes: only then may a read of its readers fail.
CHANGING = "/tmp/changing"


class Guest:
    def __init__(self, machine, daemon, discs, tally, restarts):
        self.machine, self.daemon, self.discs, self.tally = machine, daemon, discs, tally
        self.name = machine.name
        self.random = random.Random(self.name)
        self.changes = [self.swap, self.swap, self.move_tray, self.medium_gone]
        self.others = [self.read_error, self.delay, self.stand_still]
        if restarts:
            self.others += [self.restart_daemon] * 6
        # Of the daemon.
        self.restarts = 0
        self.sessions = 0
        self.ends = [self.reset, self.panic, self.kill_qemu]
        self.seed = self.image = None
        # Lines of the console that were looked at.
        self.told = 0

    def run(self, over):
        """Until `over()`; what goes wrong ends it, is told, and fails the soak."""
        try:
            self.machine.wait_for_shell()
            self.swap()
            while not over():
                self.session()
            self.check_console()
            self.check_connections()
        except Exception as error:
            self.tally.unexpected(self.name, f"{error!r}, in\n{traceback.format_exc()}{self.machine.registers()}")

    def session(self):
        """Things that happen under one load, in every other session none that changes the medium. Then the readers end and report; and
        sometimes others begin, and the machine ends under them."""
        self.tally.add(SESSIONS)
        acts = self.others if self.sessions % 2 == 0 else self.changes + self.others
        self.sessions += 1
        self.start_readers()
        for act in self.random.choices(acts, k=5):
            act()
            time.sleep(self.random.uniform(0, 2))
        self.sees_its_disc()
        self.end_readers()
        if self.random.random() < 0.25:
            # What fails until then, or is wrong, is on the console.
            self.start_readers()
            time.sleep(self.random.uniform(0.5, 3))
            self.random.choice(self.ends)()
            self.machine.wait_for_shell()
            self.machine.ok("dmesg | grep 'Power-on or device reset occurred'")
            self.sees_its_disc()
            self.tally.add("resets, panics, kills of a machine")
        self.check_console()

    @contextlib.contextmanager
    def changing(self):
        """While the medium changes, until the guest's kernel has seen all of it: it looks every two seconds, and at each open."""
        self.machine.ok(f"touch {CHANGING}")
        yield
        self.sees_its_disc()
        self.machine.ok(f"udevadm settle; : </dev/sr0; udevadm settle; rm {CHANGING}")

    # What reads (tests/guest/read_load.rs).

    def start_readers(self):
        self.machine.ok("rm -f /tmp/stop /tmp/*.status")
        for how, device in READERS.items():
            # A wrong byte and an error are told on the console too: the machine may be gone before it is asked.
            self.machine.ok(f"(spindle-read-load {how} {device} {FAULTS_FROM} /tmp/stop {CHANGING} >/tmp/{how} 2>/dev/console; status=$?;"
                            f" [ $status = 0 ] || cat /tmp/{how} >/dev/console; echo $status >/tmp/{how}.status) &")

    def end_readers(self):
        self.machine.ok("touch /tmp/stop")
        self.machine.until("cat /tmp/*.status 2>/dev/null | wc -l", f"{len(READERS)}\n")
        reports = {how: self.machine.ok(f"cat /tmp/{how}") for how in READERS}
        forgiven = sum([self.tally.report(f"{self.name} {how}", report) for how, report in reports.items()])
        self.tally.add(REPORTED)
        if not forgiven:
            self.tally.add(STRICT)

    def check_console(self):
        lines = (self.machine.folder / "console").read_text(errors="replace").splitlines()[self.told:]
        self.told += len(lines)
        for line in lines:
            if "wrong:" in line:
                self.tally.wrong(f"{self.name} console", line)
            elif "unexpected:" in line or "panicked" in line:
                self.tally.unexpected(f"{self.name} console", line)

    def check_connections(self):
        """A connection that spindled ends by itself costs a machine that connects again nothing that its guest would see."""
        made, most = self.daemon.connections(), self.machine.starts + self.restarts
        if self.restarts and made > most:
            self.tally.unexpected(self.name, f"{made} connections, of which {most} have a reason")

    def sees_its_disc(self):
        seen = self.machine.ok("spindle-read-load seed /dev/sg0")
        if seen != f"{self.seed}\n":
            self.tally.wrong(self.name, f"disc {seen} instead of {self.seed}")

    # What happens.

    def swap(self):
        with self.changing():
            self.insert()
        self.tally.add("swaps")

    def insert(self):
        before = self.image
        self.seed, self.image, _ = self.discs.make()
        self.daemon.ask("insert", "--drive", self.name, "--timeout", 60, self.image)
        self.sees_its_disc()
        if before:
            shutil.rmtree(before.parent)

    def move_tray(self):
        with self.changing():
            if self.random.random() < 0.5:
                self.daemon.ask("tray", "open", "--drive", self.name, "--timeout", 60)
                self.daemon.ask("tray", "close", "--drive", self.name)
            else:
                self.machine.ok("eject /dev/sr0 && eject -t /dev/sr0")
        self.tally.add("tray moves")

    def read_error(self):
        """Four blocks that cannot be read: the guest is told the first of them, and of no other."""
        first = self.random.randrange(FAULTS_FROM + 16, self.discs.blocks - 16)
        self.daemon.ask("fault", "read-error", "--drive", self.name, "--blocks", f"{first}-{first + 3}")
        for lba, blocks, bad in [(first - 8, 8, None), (first + 4, 8, None), (first - 3, 8, first), (first + 2, 1, first + 2)]:
            cdb = " ".join(f"{byte:02x}" for byte in [0x28, 0, *lba.to_bytes(4), 0, *blocks.to_bytes(2), 0])
            status, output = self.machine.run(f"sg_raw -r {blocks * 2048} /dev/sg0 {cdb} 2>&1 >/dev/null")
            told = status == 3 and "Unrecovered read error" in output and f"0x{bad:x}" in output if bad else status == 0
            if not told:
                self.tally.unexpected(self.name, f"{blocks} blocks at {lba}, those from {first} bad: {status} {output}")
        self.daemon.ask("fault", "clear", "--drive", self.name)
        self.tally.add("faults")

    def delay(self):
        seconds = self.random.uniform(0.05, 0.5)
        self.daemon.ask("fault", "delay", "--drive", self.name, "--seconds", f"{seconds:.2f}")
        time.sleep(2 * seconds)
        self.daemon.ask("fault", "clear", "--drive", self.name)
        self.tally.add("faults")

    def medium_gone(self):
        with self.changing():
            self.daemon.ask("fault", "medium-gone", "--drive", self.name)
            time.sleep(0.5)
            self.insert()
        self.tally.add("faults")
        self.tally.add("swaps")

    def stand_still(self):
        self.machine.qmp("stop")
        time.sleep(self.random.uniform(0, 0.5))
        self.machine.qmp("cont")
        self.tally.add("stops")

    def restart_daemon(self):
        before = self.daemon.connections()
        self.daemon.restart(self.random.choice([signal.SIGKILL, signal.SIGTERM]))
        self.restarts += 1
        self.tally.add("restarts of spindled")
        # Sometimes it is killed again before the machine is back.
        if self.random.random() < 0.8:
            self.machine.until("spindle-read-load seed /dev/sg0", f"{self.seed}\n")
            assert self.daemon.connections() > before

    def reset(self):
        self.machine.qmp("system_reset")

    def panic(self):
        self.machine.send("echo c >/proc/sysrq-trigger")

    def kill_qemu(self):
        self.machine.kill()
        self.machine.start()

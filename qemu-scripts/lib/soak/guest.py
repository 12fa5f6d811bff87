"""One machine's part of the soak: it reads all the time, and things happen to it, until the time is over."""

import random
import shutil
import time
import traceback

# The guest's readers stay below this block; faults are beyond it, where only who expects them reads.
FAULTS_FROM = 3000
READERS = {"sg": "/dev/sg0", "block": "/dev/sr0"}


class Guest:
    def __init__(self, machine, daemon, discs, tally, restarts):
        self.machine, self.daemon, self.discs, self.tally = machine, daemon, discs, tally
        self.name = machine.name
        self.random = random.Random(self.name)
        self.acts = [self.swap, self.swap, self.move_tray, self.read_error, self.delay, self.medium_gone, self.stand_still]
        if restarts:
            self.acts += [self.restart_daemon] * 6
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
        except Exception as error:
            self.tally.unexpected(self.name, f"{error!r}, in\n{traceback.format_exc()}{self.machine.registers()}")

    def session(self):
        """Things that happen under one load; then the readers end and report, or the machine does."""
        self.changed = False
        self.start_readers()
        for act in self.random.choices(self.acts, k=5):
            act()
            time.sleep(self.random.uniform(0, 2))
        self.sees_its_disc()
        if self.random.random() < 0.25:
            self.random.choice(self.ends)()
            self.machine.wait_for_shell()
            self.machine.ok("dmesg | grep 'Power-on or device reset occurred'")
            self.sees_its_disc()
            self.tally.add("resets, panics, kills of a machine")
        else:
            self.end_readers()
        self.check_console()

    # What reads (tests/guest/read_load.rs).

    def start_readers(self):
        self.machine.ok("rm -f /tmp/stop /tmp/*.status")
        for how, device in READERS.items():
            # A wrong byte is told on the console too: the machine may be gone before it is asked.
            self.machine.ok(f"(spindle-read-load {how} {device} {FAULTS_FROM} /tmp/stop >/tmp/{how} 2>&1; status=$?;"
                            f" [ $status = 0 ] || cat /tmp/{how} >/dev/console; echo $status >/tmp/{how}.status) &")

    def end_readers(self):
        self.machine.ok("touch /tmp/stop")
        self.machine.until("cat /tmp/*.status 2>/dev/null | wc -l", f"{len(READERS)}\n")
        for how in READERS:
            self.tally.report(f"{self.name} {how}", self.machine.ok(f"cat /tmp/{how}"), self.changed)

    def check_console(self):
        for line in (self.machine.folder / "console").read_text(errors="replace").splitlines()[self.told:]:
            self.told += 1
            if "wrong:" in line:
                self.tally.wrong(f"{self.name} console", line)

    def sees_its_disc(self):
        seen = self.machine.ok("spindle-read-load seed /dev/sg0")
        if seen != f"{self.seed}\n":
            self.tally.wrong(self.name, f"disc {seen} instead of {self.seed}")

    # What happens.

    def swap(self):
        self.changed = True
        before = self.image
        self.seed, self.image, _ = self.discs.make()
        self.daemon.ask("insert", "--drive", self.name, "--timeout", 60, self.image)
        self.sees_its_disc()
        if before:
            shutil.rmtree(before.parent)
        self.tally.add("swaps")

    def move_tray(self):
        self.changed = True
        if self.random.random() < 0.5:
            self.daemon.ask("tray", "open", "--drive", self.name, "--timeout", 60)
            self.daemon.ask("tray", "close", "--drive", self.name)
        else:
            self.machine.ok("eject /dev/sr0 && eject -t /dev/sr0")
        self.sees_its_disc()
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
        self.changed = True
        self.daemon.ask("fault", "medium-gone", "--drive", self.name)
        self.tally.add("faults")
        time.sleep(0.5)
        self.swap()

    def stand_still(self):
        self.machine.qmp("stop")
        time.sleep(self.random.uniform(0, 0.5))
        self.machine.qmp("cont")
        self.tally.add("stops")

    def restart_daemon(self):
        before = self.daemon.connections()
        self.daemon.restart()
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

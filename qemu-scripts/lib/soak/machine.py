"""A virtual machine with one drive and a shell in its guest (tests/guest/shell.rs)."""

import json
import pathlib
import socket
import struct
import subprocess
import tempfile
import time

from daemon import MORTAL

# Under software emulation, on a machine that is busy with the others.
BOOT = 400
COMMAND = 180


class Machine:
    def __init__(self, name, qemu, guest, folder, drive, reconnect=False):
        """`drive` is the socket of its drive. With `reconnect`, which needs QEMU 10, it outlives the daemon."""
        self.name = name
        self.folder = folder
        # The paths of sockets may not be long.
        self.sockets = tempfile.TemporaryDirectory(prefix="spindle-soak-")
        self.arguments = [
            # One thread for both processors, and little translated code: else QEMU's own emulation fails, or takes for ever, at some
            # start (docs/design/reliability.md).
            *MORTAL, qemu, "-accel", "tcg,thread=single,tb-size=128", "-m", "256", "-smp", "2", "-nodefaults", "-display", "none", "-vga", "std",
            "-object", "memory-backend-memfd,id=memory,size=256M,share=on", "-machine", "pc,memory-backend=memory,graphics=off",
            "-chardev", f"file,id=console,path={folder}/console,append=on", "-serial", "chardev:console", "-qmp", f"unix:{self.path('qmp')},server=on,wait=off",
            "-device", "virtio-serial-pci", "-chardev", f"socket,id=shell,path={self.path('shell')}",
            "-device", "virtserialport,chardev=shell,name=spindle.shell",
            "-chardev", f"socket,id=drive,path={drive}" + (",reconnect-ms=50" if reconnect else ""),
            "-device", "vhost-user-scsi-pci,id=cd,chardev=drive",
            "-kernel", guest / "vmlinuz", "-initrd", guest / "initrd.img", "-append", "console=ttyS0 panic=-1 quiet",
        ]
        self.process = self.shell = None
        self.starts = 0
        self.start()

    def path(self, name):
        return pathlib.Path(self.sockets.name) / name

    def start(self):
        """Starts QEMU; the guest is there when its shell says so."""
        self.starts += 1
        self.path("shell").unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener, open(self.folder / "qemu.log", "ab") as log:
            listener.bind(str(self.path("shell")))
            listener.listen()
            listener.settimeout(COMMAND)
            self.process = subprocess.Popen([str(one) for one in self.arguments], stdin=subprocess.DEVNULL, stderr=log)
            self.shell = listener.accept()[0]

    def wait_for_shell(self):
        answer = self.answer(BOOT)
        if answer != (0, ""):
            raise RuntimeError(f"no shell but {answer}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.shell.close()

    def send(self, script):
        data = script.encode()
        self.shell.sendall(struct.pack("<I", len(data)) + data)

    def answer(self, patience):
        self.shell.settimeout(patience)
        status, length = struct.unpack("<II", self.receive(8))
        return status, self.receive(length).decode(errors="replace")

    def receive(self, length):
        data = b""
        while len(data) < length:
            piece = self.shell.recv(length - len(data))
            if not piece:
                raise RuntimeError("the guest's shell is gone")
            data += piece
        return data

    def run(self, script):
        """Runs a script in the guest; its status and what it wrote."""
        self.send(script)
        return self.answer(COMMAND)

    def ok(self, script):
        status, output = self.run(script)
        if status:
            raise RuntimeError(f"{script}: status {status}: {output}")
        return output

    def until(self, script, wanted):
        deadline = time.monotonic() + COMMAND
        while (output := self.run(script)[1]) != wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{script}: never {wanted!r}, last {output!r}")
            time.sleep(0.1)

    def registers(self):
        """Where its processors are and what its threads have used, four times in two seconds, at which instruction, and what its
        translator has done: what a machine that says nothing more is doing."""
        wanted = ("CPU#", "RAX=", "RSI=", "RIP=", "EAX=", "ESI=", "EIP=", "CR0=")
        try:
            told = []
            for _ in range(4):
                told += [line for line in self.monitor("info registers -a").splitlines() if line.startswith(wanted)]
                told.append(self.threads())
                time.sleep(0.5)
            return "\n".join([*told, self.monitor("x /3i $pc"), self.monitor("info jit")])
        except (OSError, RuntimeError, ValueError) as error:
            return f"no registers: {error!r}"

    def threads(self):
        """The name of each thread of QEMU, its state, and how many ticks it ran."""
        names = []
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            name, rest = (task / "stat").read_text().split("(", 1)[1].rsplit(") ", 1)
            fields = rest.split()
            names.append(f"{name} {fields[0]} {int(fields[11]) + int(fields[12])}")
        return ", ".join(sorted(names))

    def monitor(self, line):
        return self.qmp("human-monitor-command", {"command-line": line})

    def qmp(self, command, arguments=None):
        """Gives QEMU itself a command; what it returns."""
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(COMMAND)
            stream.connect(str(self.path("qmp")))
            lines = stream.makefile("rw")
            for request in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments or {}}):
                lines.write(json.dumps(request))
                lines.flush()
                while "return" not in (answer := json.loads(lines.readline())):
                    if "error" in answer:
                        raise RuntimeError(f"{command}: {answer}")
            return answer["return"]

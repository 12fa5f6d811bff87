"""Discs whose every block tells its own address, as files of several formats."""

import itertools
import subprocess
import threading

from daemon import PATIENCE

BLOCK = 2048
# What `spindle convert` writes, and the ending of its file; the plain ISO first.
ENDINGS = ["iso", "cso", "chd", "cue", "zso", "ccd"]


def pattern(seed, blocks):
    """Every eight bytes name block, seed and position (tests/support/disc.rs, `block`)."""
    image = bytearray(blocks * BLOCK)
    words = BLOCK // 8
    for at in range(4):
        image[at::8] = b"".join(bytes([lba >> 8 * at & 0xFF]) * words for lba in range(blocks))
    image[4::8] = bytes([seed & 0xFF]) * (blocks * words)
    image[5::8] = bytes([seed >> 8]) * (blocks * words)
    image[6::8] = bytes(range(words)) * blocks
    return bytes(image)


class Discs:
    """Makes discs with seeds that count up, as the guest's readers expect them, of all formats by turns."""

    def __init__(self, spindle, folder, blocks):
        self.spindle = spindle
        self.folder = folder
        self.blocks = blocks
        self.seeds = itertools.count(1)
        self.endings = itertools.cycle(ENDINGS)
        self.lock = threading.Lock()

    def make(self, ending=None):
        """The next disc: its seed, the file to insert, and the plain ISO with the same content."""
        with self.lock:
            seed, ending = next(self.seeds), ending or next(self.endings)
        folder = self.folder / f"disc-{seed}"
        folder.mkdir()
        plain, image = folder / "disc.iso", folder / f"image.{ending}"
        plain.write_bytes(pattern(seed, self.blocks))
        if ending == "iso":
            return seed, plain, plain
        subprocess.run([self.spindle, "convert", plain, image], check=True, stdin=subprocess.DEVNULL, capture_output=True,
                       timeout=PATIENCE)
        return seed, image, plain

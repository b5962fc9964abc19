"""What a compiled program says of the machine that it is for (System V ABI; "Linux Standard Base", symbol versions)."""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MAGIC = b"\x7fELF"
LOADED, DYNAMIC, INTERPRETER = 1, 2, 3  # kinds of segments
STRINGS, NEEDS = 5, 0x6FFFFFFE  # tags of the dynamic segment

#: `e_machine`, as `uname -m` says it; where both byte orders are in use, also the other
MACHINES = {3: "i686", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "armv7l", 62: "x86_64", 183: "aarch64",
            243: "riscv64", 258: "loongarch64"}  # fmt: skip

#: what glibc calls a need that is no number, and since when it has it
NAMED = {"GLIBC_ABI_DT_RELR": (2, 36)}


class Program(NamedTuple):
    """What a program needs."""

    machine: str
    interpreter: str
    """What loads it; nothing for one that is whole in itself."""
    glibc: tuple[int, ...]
    """The oldest version that it runs with; nothing where it needs none."""


class Segment(NamedTuple):
    """A part of a program: where it is in the file, and in memory."""

    kind: int
    offset: int
    address: int
    size: int


def read_program(path: Path) -> Program | None:
    """Read the header of a compiled program; None for another file, or one that is cut or damaged."""
    with open(path, "rb") as file:
        if file.read(4) != MAGIC:
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return Elf(data).program()
            except (struct.error, IndexError, KeyError, ValueError):
                return None


class Elf:
    """The bytes of a program, in its own word size and byte order."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.is_wide, self.order = data[4] == 2, {1: "<", 2: ">"}[data[5]]

    def words(self, layout: str, at: int) -> tuple[int, ...]:
        """Return numbers from an offset on; A is one of the size of an address."""
        layout = layout.replace("A", "Q" if self.is_wide else "I")
        return struct.unpack_from(self.order + layout, self.data, at)

    def program(self) -> Program:
        """Return what it needs."""
        _, number, _, _, table = self.words("HHIAA", 16)
        size, count = self.words("HH", 54 if self.is_wide else 42)
        segments = [self.segment(table + n * size) for n in range(count)]
        found = next((s for s in segments if s.kind == INTERPRETER), None)
        loader = self.data[found.offset : found.offset + found.size].rstrip(b"\0").decode() if found else ""
        machine = MACHINES.get(number, f"another machine ({number})")
        little = "le" if machine == "ppc64" and self.order == "<" else ""
        return Program(machine + little, loader, max(map(version_of, self.needs(segments)), default=()))

    def segment(self, at: int) -> Segment:
        """Read one entry of the table of segments."""
        if self.is_wide:
            kind, _, offset, address, _, size = self.words("IIAAAA", at)
        else:
            kind, offset, address, _, size = self.words("IAAAA", at)
        return Segment(kind, offset, address, size)

    def needs(self, segments: list[Segment]) -> Iterator[str]:
        """Yield the versions of symbols that it takes from libraries, such as GLIBC_2.34."""
        step = 16 if self.is_wide else 8
        tags = {
            tag: value
            for dynamic in segments if dynamic.kind == DYNAMIC
            for tag, value in (self.words("AA", dynamic.offset + at) for at in range(0, dynamic.size, step))
        }  # fmt: skip
        if NEEDS not in tags:
            return
        at, strings = (offset_of(tags[tag], segments) for tag in (NEEDS, STRINGS))
        while True:
            _, count, _, first, following = self.words("HHIII", at)
            one = at + first
            for _ in range(count):
                *_, name, next_one = self.words("IHHII", one)
                yield self.data[strings + name : self.data.find(b"\0", strings + name)].decode()
                one += next_one
            if not following:
                return
            at += following


def offset_of(address: int, segments: list[Segment]) -> int:
    """Return where in the file something is that has an address in memory."""
    for part in segments:
        if part.kind == LOADED and part.address <= address < part.address + part.size:
            return address - part.address + part.offset
    raise ValueError(f"nothing is loaded at {address:#x}")


def version_of(need: str) -> tuple[int, ...]:
    """Return the version of glibc that a need means; nothing for that of another library.

    >>> version_of("GLIBC_2.3.4"), version_of("GCC_3.0")
    ((2, 3, 4), ())
    """
    match = re.fullmatch(r"GLIBC_(\d+(?:\.\d+)*)", need)
    return tuple(map(int, match[1].split("."))) if match else NAMED.get(need, ())

"""What compiled programs say of the machine that they are for."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.site.elf import Program, read_program

LS = Path(shutil.which("ls") or "/bin/ls").resolve()
MACHINE_AT = 18


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_program_of_this_machine_is_read_as_binutils_read_it(tmp_path: Path) -> None:
    found = read_program(LS)
    assert found
    if not shutil.which("readelf"):
        pytest.skip("there is no readelf, which comes with a C compiler")
    told = subprocess.run(["readelf", "-Vl", str(LS)], capture_output=True, text=True, check=True).stdout
    versions = [tuple(map(int, text.split("."))) for text in re.findall(r"Name: GLIBC_([\d.]+)", told)]
    assert found.glibc == max(versions)
    assert f"interpreter: {found.interpreter}]" in told


def test_a_program_in_c_needs_what_it_was_linked_with(tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("there is no C compiler: install gcc")
    write(tmp_path / "a.c", b"int main(void) { return 0; }\n")
    for name, options in (("linked", []), ("whole", ["-static"])):
        argv = ["gcc", *options, "-o", str(tmp_path / name), str(tmp_path / "a.c")]
        subprocess.run(argv, check=True, capture_output=True)
    linked, whole = read_program(tmp_path / "linked"), read_program(tmp_path / "whole")
    assert linked
    assert linked.interpreter
    assert linked.glibc >= (2, 2)
    assert whole == Program(linked.machine, "", ())


@pytest.mark.parametrize(
    ("number", "machine"), [(183, "aarch64"), (243, "riscv64"), (9999, "another machine (9999)")]
)
def test_the_machine_is_that_of_the_header(tmp_path: Path, number: int, machine: str) -> None:
    data = bytearray(LS.read_bytes())
    data[MACHINE_AT : MACHINE_AT + 2] = struct.pack("<H", number)
    found = read_program(write(tmp_path / "ls", bytes(data)))
    assert found
    assert found.machine == machine


@pytest.mark.parametrize(
    ("wide", "order", "number", "machine"),
    [
        (1, "<", 3, "i686"),
        (1, ">", 20, "ppc"),
        (2, ">", 22, "s390x"),
        (2, ">", 21, "ppc64"),
        (2, "<", 21, "ppc64le"),
    ],
)
def test_other_sizes_of_words_and_orders_of_bytes_are_read(
    tmp_path: Path, wide: int, order: str, number: int, machine: str
) -> None:
    loader = b"/lib/ld.so.1\0"
    ident = b"\x7fELF" + bytes([wide, 1 if order == "<" else 2, 1]) + bytes(9)
    if wide == 2:
        head = ident + struct.pack(f"{order}HHIQQQIHHHHHH", 2, number, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        table = struct.pack(f"{order}IIQQQQQQ", 3, 4, 64 + 56, 0, 0, len(loader), len(loader), 1)
    else:
        head = ident + struct.pack(f"{order}HHIIIIIHHHHHH", 2, number, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0)
        table = struct.pack(f"{order}IIIIIIII", 3, 52 + 32, 0, 0, len(loader), len(loader), 4, 1)
    assert read_program(write(tmp_path / "a", head + table + loader)) == Program(machine, "/lib/ld.so.1", ())


def test_a_newer_need_is_seen(tmp_path: Path) -> None:
    data = LS.read_bytes()
    newest = max(re.findall(rb"GLIBC_2\.\d\d(?=\0)", data))
    found = read_program(write(tmp_path / "ls", data.replace(newest + b"\0", b"GLIBC_2.99\0")))
    assert found
    assert found.glibc == (2, 99)


@pytest.mark.parametrize(
    "data", [b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x02\x09\x01" + bytes(100), b"\x7fEL"]
)
def test_what_is_no_program_is_none(tmp_path: Path, data: bytes) -> None:
    assert read_program(write(tmp_path / "a", data)) is None


@given(st.integers(0, 4096), st.binary(min_size=1, max_size=16), st.integers(5, 200_000))
def test_damage_is_never_more_than_a_file_that_is_no_program(
    tmp_path_factory: pytest.TempPathFactory, at: int, damage: bytes, size: int
) -> None:
    data = bytearray(LS.read_bytes()[:size])
    data[at : at + len(damage)] = damage
    found = read_program(write(tmp_path_factory.getbasetemp() / "damaged", bytes(data)))
    assert found is None or isinstance(found, Program)

"""Debian's packages that real clusters and their file systems are made of; packages.txt lists them, for .ci/run too."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
APT = HERE.parents[1] / "tools" / "apt.sh"
PATIENCE_S = 900.0


class Unavailable(Exception):
    """Why a cluster cannot be had on this machine."""


def packages(*groups: str) -> list[str]:
    """Return the packages of some lines of packages.txt."""
    lines = (line.split(":") for line in (HERE / "packages.txt").read_text().splitlines())
    listed = {name: names.split() for name, names in lines}
    return [package for group in groups for package in listed[group]]


def missing(wanted: list[str]) -> list[str]:
    """Return those that are not installed."""
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted]
    try:
        told = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        raise Unavailable("clusters are made of Debian's packages, and there is no dpkg here") from None
    return [package for package in wanted if f"{package} installed" not in told.splitlines()]


def need(*groups: str) -> None:
    """Install what is missing; raises Unavailable with the reason why that cannot be."""
    if os.geteuid() != 0:
        raise Unavailable("a cluster's daemons need root")
    absent = missing(packages(*groups))
    if absent:
        install(absent)


def install(absent: list[str]) -> None:
    """Install packages; they start nothing."""
    done = subprocess.run(
        ["sh", str(APT), *absent], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise Unavailable(f"apt-get cannot install {' '.join(absent)}: {last}")

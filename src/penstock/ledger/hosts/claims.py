"""Which host has the record of a campaign on a shared file system: numbered files, of which the highest counts.

A claim is made by the exclusive creation of `ledger.<n>.json`, which is one step on every network file system, so
of two hosts that reach for the next number one gets it. Only its maker writes it again.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from penstock.disk import sync_folder, write_durably, write_file
from penstock.errors import Held
from penstock.host import Process
from penstock.ledger.hosts.holder import Holder
from penstock.runner.sealed import seal, unseal

LASTS_S = 120.0
CLAIM = re.compile(r"ledger\.(\d+)\.json")
COPY = re.compile(r"ledger\.(\d+)\.sqlite")


@dataclass(frozen=True, slots=True)
class Claim:
    """One host's claim on the record.

    `mark` stands in the record's file since it was claimed, `before` what stood there until then: by them a file
    that is not the record any more is told from the one that is. `ready`: the record is at `path`. `whole`: the
    mark of a published copy that has everything, so that any host may go on from there; `rested`: of one that had,
    when this claim was made.
    """

    number: int
    holder: Holder
    path: str = ""
    mark: str = ""
    before: str = ""
    ready: bool = False
    whole: str = ""
    rested: str = ""

    @property
    def host(self) -> str:
        return self.holder.host

    def lives(self, now: float, host: str) -> bool:
        """Whether its maker still works, seen from `host`: its own processes it can see, others count until they expire."""
        if self.holder.process.seen_from(host):
            return self.holder.expires > 0 and not self.holder.process.dead_to(host)
        return now < self.holder.expires

    def to_json(self) -> bytes:
        """Return the file's content."""
        return seal(json.dumps({"format": 1, **asdict(self)}, indent=1).encode())


def read_claims(folder: Path) -> Sequence[Claim]:
    """Return the claims in a campaign's own folder, oldest first; files that are gone by now are passed over."""
    while names := numbered(folder, CLAIM):
        found = [claim for number, name in names if (claim := read_claim(folder / name, number))]
        if found:  # else all were followed by another between the two looks
            return found
    return []


def numbered(folder: Path, pattern: re.Pattern[str]) -> Sequence[tuple[int, str]]:
    """Return number and name of the files that are called so, in their order."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted((int(match[1]), match[0]) for name in names if (match := pattern.fullmatch(name)))


def read_claim(path: Path, number: int) -> Claim | None:
    """Read one claim; one without its content is being made, or was when its maker died."""
    try:
        text, since = path.read_bytes(), path.stat().st_mtime
    except FileNotFoundError:
        return None
    data = unseal(text)
    if data is None:
        unknown = Process("another host", "", 0, "")
        return Claim(number, Holder(unknown, "…", since, since + LASTS_S))
    told: dict[str, Any] = data["holder"]
    holder = Holder(Process(**told["process"]), told["command"], told["since"], told["expires"])
    rest = {name: value for name, value in data.items() if name not in ("format", "holder", "seal")}
    return Claim(holder=holder, **rest)


def newest(folder: Path) -> int:
    """Return the number of the claim that counts; 0 without any."""
    return max((number for number, _ in numbered(folder, CLAIM)), default=0)


def make(folder: Path, claim: Claim) -> None:
    """Take the next number; raises Held if somebody else just did."""
    try:
        write_durably(place_of(folder, claim.number), claim.to_json(), os.O_EXCL)
    except FileExistsError as error:
        raise Held(
            f"{folder.parent} was just taken over by another conductor: `penstock status` shows which"
        ) from error
    sync_folder(folder)


def rewrite(folder: Path, claim: Claim, **changes: Any) -> Claim:
    """Rewrite one's own claim."""
    changed = replace(claim, **changes)
    write_file(place_of(folder, claim.number), changed.to_json())
    return changed


def place_of(folder: Path, number: int, kind: str = "json") -> Path:
    """Return where a claim is, or with `sqlite` the copy that was published under it."""
    return folder / f"ledger.{number}.{kind}"


def forget(folder: Path, pattern: re.Pattern[str], *, below: int) -> None:
    """Remove the files with smaller numbers, oldest first."""
    for number, name in numbered(folder, pattern):
        if number < below:
            (folder / name).unlink(missing_ok=True)

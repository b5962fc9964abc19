"""The result of a trial of a cluster: what its elements reported, what is wrong, and how that is shown."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from penstock.campaign import Site
from penstock.display import show_duration
from penstock.schedulers.model import Limits

OLDEST = (3, 6)
CLOCK_S = 60.0  # that a clock may be wrong before it is told as a fault

#: names that change which programs run, or how; without a set-up nobody meant them
MEDDLERS = frozenset(
    ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "LD_PRELOAD", "VIRTUAL_ENV", "CONDA_PREFIX", "BASH_ENV")
)

#: how the names begin that schedulers set, and the names that every shell does
SCHEDULERS = ("PENSTOCK_", "SLURM", "PBS_", "SGE_", "LSB_", "LSF_", "LS_", "EGO_")
SHELLS = frozenset(("PWD", "OLDPWD", "SHLVL", "_", "TMPDIR", "HOSTNAME", "SHELL", "TERM", "ENVIRONMENT"))


@dataclass(frozen=True, slots=True)
class Element:
    """What one element reported. Seconds by this machine's clock."""

    node: str
    python: str
    queued_s: float
    """From its submission to its first line."""
    skew_s: float
    """How far the node's clock is ahead of this machine's."""
    delay_s: float
    """From when it wrote its file to when the file was seen here."""
    environment: tuple[str, ...]
    """The names of its variables, without their values."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of a trial."""

    site: str
    scheduler: str
    reached: bool
    limits: Limits
    native: str | None
    file_skew_s: float
    """How far the file server's clock is ahead of this machine's."""
    elements: tuple[Element, ...]
    leaked: tuple[str, ...]
    """Names that are set here too and were not passed on: by a profile there, or by raw `lines`."""
    faults: tuple[str, ...]
    built: tuple[str, ...] = ()
    """The programs that were built there, now or before."""

    @property
    def exit_code(self) -> int:
        """0: all is well; 1: a fault; 3: the scheduler cannot be reached."""
        return 3 if not self.reached else 1 if self.faults else 0

    def to_json(self) -> dict[str, Any]:
        """Return plain data, as `site test --json` prints it."""
        return asdict(self)

    def to_text(self) -> str:
        """Return the lines that a person reads."""
        about = (
            describe_limits(self.scheduler, self.limits)
            if self.reached
            else f"{self.scheduler} cannot be asked"
        )
        lines = [f"{self.site}: {about}"]
        lines += [f"  {name:<12} {text}" for name, text in self.facts()] if self.elements else []
        return "\n".join(
            [*lines, *(f"! {fault}" for fault in self.faults)] + ["all is well"] * (not self.faults)
        )

    def facts(self) -> list[tuple[str, str]]:
        """Describe what the elements reported."""
        seen = self.elements
        skews = {one.node: one.skew_s for one in seen} | {"the file server": self.file_skew_s}
        names = {name for one in seen for name in one.environment}
        own = sorted(name for name in names if not name.startswith(SCHEDULERS))
        return [
            ("queue", f"started {show_all(show_duration(max(0.0, e.queued_s)) for e in seen)} after submission"),
            ("nodes", show_all(one.node for one in seen)),
            ("python", show_all(one.python for one in seen)),
            ("clocks", ", ".join(f"{name} {show_skew(skew)}" for name, skew in skews.items())),
            ("files", f"seen here {show_duration(max(0.0, *(e.delay_s for e in seen)))} after they were written there"),
            ("environment", f"{len(names) - len(own)} names of the scheduler, and {', '.join(own)}"),
            ("from here", ", ".join(self.leaked) or "nothing but what is passed explicitly"),
            *([("built", ", ".join(self.built))] if self.built else []),
        ]  # fmt: skip


def element_of(told: dict[str, Any], *, wrote_at: float, submitted_at: float, seen_at: float) -> Element:
    """Read one element's file. Times are by this machine's clock, also `wrote_at`, when it was written."""
    skew = told["wrote"] - wrote_at
    return Element(
        node=told["node"].partition(".")[0],
        python=told["python"],
        queued_s=told["began"] - skew - submitted_at,
        skew_s=skew,
        delay_s=seen_at - wrote_at,
        environment=tuple(told["environment"]),
    )


def faults_of(one: Element, site: Site) -> list[str]:
    """Return what is wrong with one element, with the remedy."""
    faults = list[str]()
    if version_of(one.python) < OLDEST:
        faults.append(
            f"{one.node} has Python {one.python}, and 3.6 is needed: name a newer one as the site's `python`"
        )
    if abs(one.skew_s) > CLOCK_S:
        faults.append(
            f"the clock of {one.node} is {show_skew(one.skew_s)}: penstock does not rely on it, other programs may:"
            " tell its administrators"
        )
    if one.delay_s > site.visibility_s:
        faults.append(
            f"a file of {one.node} was seen here after {show_duration(one.delay_s)}: set the site's"
            f' `visibility` to "{math.ceil(2 * one.delay_s)}s"'
        )
    meddlers = sorted(MEDDLERS.intersection(one.environment) - set(site.environment))
    if meddlers and not site.setup:
        faults.append(
            f"on {one.node} {', '.join(meddlers)} is set by the node itself:"
            f' add "unset {" ".join(meddlers)}" to the site\'s `setup`'
        )
    return faults


def describe_limits(scheduler: str, limits: Limits) -> str:
    """Describe what a scheduler is and allows, as far as it says."""
    accounting = {True: "accounting on", False: "accounting off", None: ""}[limits.accounting]
    arrays = f"arrays of up to {limits.array_size}" if limits.array_size else ""
    version = limits.version.removeprefix(scheduler).strip()
    return ", ".join(filter(None, [f"{scheduler} {version}".strip(), arrays, accounting]))


def version_of(text: str) -> tuple[int, ...]:
    """Return the first two numbers of a version."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def show_all(words: Iterable[str]) -> str:
    """List words, each once."""
    return ", ".join(dict.fromkeys(words))


def show_skew(seconds: float) -> str:
    """Write how far a clock is off.

    >>> show_skew(-0.25), show_skew(0.004)
    ('0.25 s behind', 'right')
    """
    if abs(seconds) < 0.05:
        return "right"
    return f"{show_duration(abs(seconds))} {'ahead' if seconds > 0 else 'behind'}"

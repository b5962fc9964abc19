"""Requests of a person to whoever works on a campaign: what they are about, how they are made, what is answered."""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.display import CAMPAIGN
from penstock.errors import DefinitionError, Held, PenstockError
from penstock.explain import find_stage, find_units
from penstock.explain.find import ROOT
from penstock.ledger import Ledger
from penstock.ledger.hosts.lease import find_holder

ACTIONS = (
    "retry", "cancel", "veto", "unveto", "redo", "fetch", "mark", "unmark", "archive", "unarchive", "close", "reopen",
)  # fmt: skip
REASONED = ("veto", "mark", "archive", "reopen")  # which others will ask about
TOGETHER = ("veto", "unveto", "mark", "unmark", "archive", "unarchive")  # all their units in one request
NAMED = (*TOGETHER, "close", "reopen")  # never of all
CHOOSING = ("redo", "fetch")  # from what is done, by one request

Target = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for; without units and stage the whole campaign is meant."""

    action: str
    units: Sequence[str] = ()
    stage: str | None = None
    where: str | None = None
    why: str | None = None
    file: str | None = None
    """Of `fetch`: a pattern of the products' paths."""
    until: float | None = None
    """Of `veto`: when it ends by itself, in UTC seconds."""
    left_out: bool = False
    """Of `mark`: also units that the `where` of a stage leaves out."""
    limit: int | None = None
    """Of `redo`: at most so many tasks of a stage, of those that are stale."""

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise DefinitionError(f"there is no action {self.action!r}: choose one of {', '.join(ACTIONS)}")
        if self.action in REASONED and not (self.units and (self.why or "").strip()):
            raise DefinitionError(f"{self.action} needs a unit and the reason, for the record: name both")
        if self.action in NAMED and not self.units:
            raise DefinitionError(f"{self.action} needs a unit: name one")
        if self.left_out and self.action != "mark":
            raise DefinitionError(f"units that are left out can be marked only, not {self.action}")
        if self.where and self.action not in CHOOSING:
            raise DefinitionError(
                f"only redo and fetch take an expression: name the units that {self.action} is about"
            )


def ask(ledger: Ledger, question: Question, *, by: str | None = None) -> list[str]:
    """Make the requests that a question comes to, in the name of whoever is logged in or `by` another, and return the answers.

    Raises DefinitionError if there is no such unit or stage, or for a wrong expression.
    """
    answers = [
        request(ledger.root, question.action, target, by=by) for target in targets_of(ledger, question)
    ]
    return [*answers, *follow_up(ledger.root, question.action)]


def request(root: Path, action: str, target: Target, *, by: str | None = None) -> str:
    """Make one request in the name of whoever is logged in, or `by` another, and return the answer."""
    from penstock.ledger.requests import ask

    if action == "reopen":
        from penstock.closing.checking import keep_seal

        keep_seal(root, target["unit"])
    return ask(root, action, target, by or whoami())


def targets_of(ledger: Ledger, question: Question) -> list[Target]:
    """Return what the requests are about: one for each unit that is named, or one for all; one of what is done."""
    if question.stage:
        find_stage(ledger.db, question.stage)
    if question.action in CHOOSING:
        return [done_target(ledger, question)]
    given = {
        "stage": question.stage, "why": question.why, "until": question.until, "left_out": question.left_out,
    }  # fmt: skip
    common = {name: value for name, value in given.items() if value}
    if question.action in TOGETHER:
        units = [unit for text in question.units for unit in meant(ledger, text)]
        return [with_products(ledger, question.action, {**common, "units": [*dict.fromkeys(units)]})]
    if not question.units:
        return [{**common, "all": True}]
    return [{**common, "unit": unit} for text in question.units for unit in meant(ledger, text)]


def with_products(ledger: Ledger, action: str, target: Target) -> Target:
    """Add what lies where the products of tasks will be that are to be marked as done."""
    if action != "mark":
        return target
    from penstock.record.lying import find_lying

    return {**target, "products": find_lying(ledger, target)}


def done_target(ledger: Ledger, question: Question) -> Target:
    """Return which finished tasks are meant."""
    from penstock.units import Expression

    if question.where:
        Expression.parse(question.where)
    units = [unit for text in question.units for unit in find_units(ledger, text)]
    given = {
        "units": units, "stage": question.stage, "where": question.where, "why": question.why, "file": question.file,
        "limit": question.limit,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value}


def meant(ledger: Ledger, text: str) -> list[int]:
    """Find the named units; one that the record does not know is looked up in the sources."""
    with suppress(DefinitionError):
        found = find_units(ledger, text)
        if text != CAMPAIGN or found != [ROOT]:
            return found
    if not find_holder(ledger.root, time.time()):
        from penstock.conductor.discovery import look_for_units

        with suppress(PenstockError):
            look_for_units(ledger.root)
    return find_units(ledger, text)


def follow_up(root: Path, action: str) -> list[str]:
    """Do at once what a conductor would do after such a request, if none is running."""
    from penstock.conductor.cancelling import take_away
    from penstock.conductor.fetching import fetch_asked

    actions = {"cancel": take_away, "veto": take_away, "fetch": fetch_asked}
    if action not in actions or find_holder(root, time.time()):
        return []
    with suppress(Held):
        return actions[action](root)
    return []


def whoami() -> str:
    """Return `user@host`, for the record."""
    return f"{getpass.getuser()}@{socket.gethostname()}"

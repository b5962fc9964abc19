"""Whatever the definition, the data, the history and the damage are: sentences, and a record that agrees with itself."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.fuzz.makes import TEXTS, Maker

from penstock import config
from penstock.cli import cli
from penstock.clock import SystemClock
from penstock.conductor import Conductor
from penstock.errors import NothingYet, PenstockError
from penstock.ledger import Ledger
from penstock.ledger.check import check_ledger
from penstock.ledger.stored import stored_campaign, stored_graph
from penstock.testing import ManualClock, Outcome, PretendSite, Run

TRIES = int(os.environ.get("PENSTOCK_TRIES", "40"))
FIRST = int(os.environ.get("PENSTOCK_SEED", "1"))
KEPT = (2932, 21210, 21839, 100478)  # seeds that once found a fault, in the makes of their time
COMMANDS = (
    ["status"], ["status", "--json"], ["units"], ["units", "--stale"], ["jobs"], ["report"], ["check"],
    ["ledger", "check"], ["plan"],
)  # fmt: skip
ON_UNITS = (["why"], ["units"], ["log"], ["veto", "--why", "w"], ["unveto"], ["retry"], ["cancel"])
OUTCOMES = (
    "ok",
    "ok",
    "ok",
    "ok",
    "ok",
    "error",
    "timeout",
    "out_of_memory",
    "missing_product",
    "node_failure",
)
STEPS_MOST = 3000  # of a run, in which anything must have come to its end


class Endless(Exception):
    """A run that does not end."""


class Story:
    """One campaign, and what happens to it."""

    def __init__(self, seed: int, root: Path) -> None:
        self.make, self.root = Maker(seed, root), root
        self.clock = ManualClock(now=SystemClock().now() + 100, stride=1.0)
        self.site = PretendSite(root, rule=self.outcome, clock=self.clock)
        self.inputs: dict[str, bytes] = {}
        self.told: list[str] = []

    def outcome(self, run: Run) -> Outcome:
        paths = [product["path"] for product in run.task.get("products", {}).values()]
        too_long = any(len(os.fsencode(part)) > 255 for path in paths for part in path.split("/"))
        outcome = "error" if too_long else self.make.pick(OUTCOMES)
        return Outcome(
            outcome,
            code=1 if outcome == "error" else None,
            why=None if outcome == "ok" else self.make.pick(TEXTS)[:50],
        )

    def write(self) -> None:
        self.put("penstock.toml", self.make.definition().encode())
        for name, content in self.make.data().items():
            self.put(name, content)

    def put(self, name: str, content: bytes) -> None:
        path = self.root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.utime(path, (1_500_000_000, 1_500_000_000))
        except OSError:
            return  # a name that this disk does not take
        self.inputs[name] = content

    def command(self, *words: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            done = CliRunner().invoke(cli, [*words, "-C", str(self.root)], prog_name="penstock")
        said = f"{words}: {done.output}"
        assert "fault of penstock" not in done.output, said
        assert "Traceback" not in done.output, said
        assert done.exception is None or isinstance(done.exception, SystemExit), said
        assert done.exit_code in range(5), said

    def drive(self, command: str) -> None:
        """Let a conductor work on the pretended site, as `run` or as `tick` from cron."""
        try:
            campaign = config.load(self.root)
            with Conductor(campaign, command=command, site=self.site, clock=self.clock) as conductor:
                self.clock.watchers = [self.count_steps]
                self.steps = 0
                if command == "run":
                    self.told += conductor.run().lines
                else:
                    self.told.append(str(conductor.tick()))
        except PenstockError as error:
            self.told.append(str(error))
        finally:
            self.clock.watchers = []

    def count_steps(self) -> None:
        self.steps += 1
        if self.steps > STEPS_MOST:
            raise Endless(self.told)

    def event(self) -> None:
        """Let one more thing happen."""
        happen = self.make.chance.choice(
            [
                self.run,
                self.tick,
                self.ask,
                self.ask,
                self.show,
                self.renew,
                self.lose,
                self.redefine,
                self.damage,
                self.harm,
            ]
        )
        happen()

    def run(self) -> None:
        self.drive("run")

    def tick(self) -> None:
        self.drive("tick")

    def ask(self) -> None:
        words = self.make.chance.choice(ON_UNITS)
        if self.make.some(0.3):
            self.command(*words, "--", self.make.pick(TEXTS).replace("\0", ""))
        else:
            self.command(
                *words, self.make.pick(["a", "1", "-5", "*", "/", "campaign", "a/1", "out/one/a.txt"])
            )

    def show(self) -> None:
        self.command(*self.make.chance.choice(COMMANDS))

    def renew(self) -> None:
        for name, content in self.make.data().items():
            self.put(name, content)

    def lose(self) -> None:
        for name in [name for name in self.inputs if name.startswith("in/")][:2]:
            (self.root / name).unlink(missing_ok=True)
            del self.inputs[name]

    def redefine(self) -> None:
        self.put("penstock.toml", self.make.definition().encode())

    def damage(self) -> None:
        name = self.make.pick([*self.inputs])
        if (self.root / name).is_file():
            self.put(name, self.make.damaged(self.inputs[name]))

    def harm(self) -> None:
        """Damage a file of penstock's own, but for the record itself."""
        own = sorted(path for path in (self.root / ".penstock").rglob("*.*") if path.is_file())
        harmed = [path for path in own if not path.name.startswith("ledger")]
        if harmed:
            path = self.make.chance.choice(harmed)
            path.write_bytes(self.make.damaged(path.read_bytes()))

    def look(self) -> None:
        """See that what must always hold does."""
        for name, content in self.inputs.items():
            assert (self.root / name).read_bytes() == content, f"{name} was changed"
        try:
            with Ledger.open(self.root, readonly=True) as ledger:
                stored_campaign(ledger)
                assert check_ledger(ledger, stored_graph(ledger)) == []
        except NothingYet:
            pass


def tell(seed: int, root: Path) -> None:
    """Tell the story of one seed."""
    story = Story(seed, root)
    story.write()
    for _ in range(story.make.chance.randint(3, 8)):
        story.event()
    story.drive("run")
    story.look()
    for words in story.make.chance.sample(COMMANDS, 3):
        story.command(*words)


@pytest.mark.parametrize("seed", [*KEPT, *range(FIRST, FIRST + TRIES)])
def test_only_sentences(seed: int, tmp_path: Path) -> None:
    tell(seed, tmp_path / "c")
    shutil.rmtree(tmp_path / "c", ignore_errors=True)

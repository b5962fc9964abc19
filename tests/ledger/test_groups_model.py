"""The ledger against the literal model of groups and redoing, over random orders of everything that can happen."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.ledger.engine import Engine
from tests.ledger.model import Found, Key, Model
from tests.ledger.shapes import SHAPES, Shape, campaign_of

from penstock.testing import Outcome

NAMES = ("p", "q")
SETTINGS = settings(
    max_examples=35,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # making a failure smaller takes many minutes
)

pick = st.integers(0, 1_000)
kinds = st.sampled_from(["d", "d", "e"])
marks = st.sampled_from(["1:1", "1:2", "2:3"])


class Groups(RuleBasedStateMachine):
    """Does the same to the ledger and to the model."""

    shape: Shape

    @initialize(
        members=st.sampled_from(["all", "done"]),
        empty=st.sampled_from(["block", "run"]),
        late=st.sampled_from(["redo", "redo", "ask", "ignore"]),
    )
    def begin(self, members: Any, empty: Any, late: Any) -> None:
        folder = Path(tempfile.gettempdir())
        campaign = campaign_of(self.shape, folder, {"members": members, "empty": empty, "late": late})
        self.engine = Engine(campaign, folder)
        self.model = Model(campaign.stages, campaign.levels)
        self.world: dict[int, dict[Key, Found]] = {level: {} for level in self.shape.sources}
        self.versions, self.now = 0, self.model.states()

    # --- the sources ----------------------------------------------------------------------------

    @rule(
        changes=st.lists(
            st.tuples(
                st.sampled_from(["put", "put", "put", "remove", "unsettle"]),
                st.lists(st.sampled_from(NAMES), min_size=3, max_size=3), pick, kinds, marks,
            ),
            min_size=1, max_size=5,
        ),
        accept_gone=st.booleans(),
    )  # fmt: skip
    def discover(self, changes: list[Any], accept_gone: bool) -> None:
        for what, names, which, kind, mark in changes:
            level = self.shape.sources[which % len(self.shape.sources)]
            key, there = tuple(names[:level]), self.world[level]
            if what == "remove":
                there.pop(key, None)
            elif what == "unsettle":
                there[key] = Found({}, mark, resting=False)
            else:
                there[key] = Found({"kind": kind, f"kind{level}": kind, "other": names[-1]}, mark)
        self.engine.scan(self.world, accept_gone=accept_gone)
        self.model.look(self.world, accept_gone=accept_gone)

    # --- runners --------------------------------------------------------------------------------

    def those(self, *states: str) -> list[tuple[str, Key]]:
        """The tasks that are in one of these states, as the rules see it after the last step."""
        return sorted(task for task, state in self.now.items() if state in states)

    def leader_done(self, task: tuple[str, Key]) -> bool:
        """Whether nothing in its worker comes before a task."""
        leader = self.model.stages[task[0]].follows
        before = self.model.tasks.get((leader, task[1])) if leader else None
        return not (before and before.held)

    @precondition(lambda self: self.those("ready"))
    @rule(which=pick)
    def give(self, which: int) -> None:
        ready = self.those("ready")
        self.hand_out(*ready[which % len(ready)])

    @precondition(lambda self: self.those("ready", "queued", "running"))
    @rule(most=st.integers(2, 12), same=st.booleans())
    def work(self, most: int, same: bool) -> None:
        """Let all go well for a while, so that merges are reached."""
        for _ in range(most):
            held = [task for task in self.those("queued", "running") if self.leader_done(task)]
            ready = self.those("ready")
            if held:
                self.succeed(*held[0], same=same, children={"p": "d", "q": "d"})
            elif ready:
                self.hand_out(*ready[0])
            self.now = self.model.states()

    def hand_out(self, stage: str, key: Key) -> None:
        """Give a task to a runner; a merge gets every one of its members, and nothing else."""
        given = self.engine.give(stage, key).get("inputs", {})
        if self.model.is_group(stage):
            assert sorted(self.members_given(given)) == sorted(self.members_wanted(stage, key))
        self.model.give(stage, key)

    def members_given(self, inputs: dict[str, list[str]]) -> list[str]:
        return [path for paths in inputs.values() for path in paths]

    def members_wanted(self, stage: str, key: Key) -> list[str]:
        """The products of every done upstream: what the merge must get, no more and no less."""
        own, members = self.model.made_of(stage, key)
        seen = [*own[2:], *members]
        return ["/".join((name, *map(str, k))) if k else f"{name}/all" for name, k, _ in seen]

    def next_held(self, which: int, *states: str) -> tuple[str, Key]:
        held = [task for task in self.those(*states) if self.leader_done(task)]
        return held[which % len(held)]

    @precondition(lambda self: self.those("queued"))
    @rule(which=pick)
    def start(self, which: int) -> None:
        stage, key = self.next_held(which, "queued", "running")
        if self.model.state(stage, key) == "queued":
            self.engine.start(stage, key)
            self.model.start(stage, key)

    @precondition(lambda self: self.those("queued", "running"))
    @rule(
        which=pick, same=st.booleans(),
        children=st.dictionaries(st.sampled_from("pqr"), kinds, max_size=3),
    )  # fmt: skip
    def end_well(self, which: int, same: bool, children: dict[str, str]) -> None:
        self.succeed(*self.next_held(which, "queued", "running"), same=same, children=children)

    def succeed(self, stage: str, key: Key, *, same: bool, children: dict[str, str]) -> None:
        """End a task well, with a product like that of the last one or a new one."""
        self.versions += not same
        made = f"version {self.versions}"
        given = {value: {"kind": kind, "other": "p"} for value, kind in children.items()}
        expands = self.model.stages[stage].expands is not None
        outcome = Outcome(
            contents={"product": made.encode()}, children=list(given.items()) if expands else ()
        )
        self.engine.end(stage, key, outcome)
        self.model.end_well(stage, key, made, given)

    @precondition(lambda self: self.those("queued", "running"))
    @rule(which=pick, verdict=st.sampled_from([None, None, "permanent", "permanent", "veto"]))
    def end_badly(self, which: int, verdict: str | None) -> None:
        stage, key = self.next_held(which, "queued", "running")
        self.engine.end(stage, key, Outcome("error", code=1, why="it failed", verdict=verdict))
        self.model.end_badly(stage, key, verdict=verdict)

    @precondition(lambda self: self.those("queued"))
    @rule(which=pick)
    def give_back(self, which: int) -> None:
        stage, key = self.next_held(which, "queued", "running")
        if self.model.state(stage, key) == "queued":
            self.engine.give_back(stage, key)
            self.model.give_back(stage, key)

    @precondition(lambda self: self.those("queued", "running"))
    @rule()
    def lose_job(self) -> None:
        self.model.lose(running=self.those("running"), queued=self.those("queued"))
        self.engine.lose_job()

    # --- people ---------------------------------------------------------------------------------

    def target(self, which: int, of_stage: int) -> tuple[str | None, Key]:
        keys = sorted(self.model.units, key=lambda key: (len(key), key))
        names = [None, None, *self.model.stages]
        return names[of_stage % len(names)], keys[which % len(keys)]

    @rule(which=pick, of_stage=pick)
    def veto(self, which: int, of_stage: int) -> None:
        stage, key = self.target(which, of_stage)
        if key:
            self.engine.ask("veto", stage, key)
            self.model.veto(stage, key)

    @precondition(lambda self: self.model.vetoes)
    @rule(which=pick, exact=st.booleans())
    def unveto(self, which: int, exact: bool) -> None:
        veto = self.model.vetoes[which % len(self.model.vetoes)]
        stage = veto.stage if exact else None
        self.engine.ask("unveto", stage, veto.key)
        self.model.unveto(stage, veto.key)

    @precondition(lambda self: self.those("failed"))
    @rule(which=pick, of_stage=pick)
    def retry(self, which: int, of_stage: int) -> None:
        stage, key = self.target(which, of_stage)
        self.engine.ask("retry", stage, key)
        self.model.retry(stage, key)

    @precondition(lambda self: any(t.stale for t in self.model.tasks.values()))
    @rule()
    def redo_stale(self) -> None:
        self.engine.redo_stale()
        self.model.redo_stale(list(self.engine.graph.ids))

    # --- what must hold -------------------------------------------------------------------------

    @invariant()
    def states_are_those_of_the_rules(self) -> None:
        if hasattr(self, "model"):
            self.now = self.model.states()
            wanted = {t: (s, s == "done" and self.model.tasks[t].stale) for t, s in self.now.items()}
            assert self.engine.tasks() == wanted

    @invariant()
    def tallies_are_those_of_a_recount(self) -> None:
        if hasattr(self, "model"):
            assert self.engine.tallied() == self.engine.recounted()


@pytest.mark.parametrize("name", SHAPES)
def test_the_ledger_does_what_the_rules_say(name: str) -> None:
    shape = SHAPES[name]
    run_state_machine_as_test(type("Groups", (Groups,), {"shape": shape}), settings=SETTINGS)

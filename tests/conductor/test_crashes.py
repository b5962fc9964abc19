"""A conductor that ends between any two steps: the next one goes on, and nothing runs twice."""

import itertools

import pytest
from tests.conductor.grid import run_afresh

from penstock.campaign import Site
from penstock.site import LocalSite

STAGES = """
[stage.a]
each = "unit"
command = ["sh", "-c", "echo a-$1 >> runs; sleep 0.01; echo $1 > $0", "{product}", "{unit}"]
products = "a/{unit}"
[stage.b]
each = "unit"
with = "a"
command = ["sh", "-c", "echo b-$(cat $1) >> runs; cp $1 $0", "{product}", "{inputs.a}"]
products = "b/{unit}"
[stage.all]
each = "campaign"
after = "b"
command = ["sh", "-c", "echo all >> runs; shift; cat \\"$@\\" > $0", "{product}", "-", "{inputs.b}"]
products = "all"
"""
STEPS = [("place", 1), ("start", 1), ("start", 2), ("feed", 1), ("feed", 3), ("close_feed", 1), ("pack", 1)]


class Crash(BaseException):
    """The conductor is no more."""


class CrashingSite(LocalSite):
    """Ends its conductor before or after the n-th time that something is asked of it."""

    def __init__(self, lab, step: str, *, before: bool, time: int) -> None:
        super().__init__(Site("local", cores=2), lab.root)
        asked, count = getattr(self, step), itertools.count(1)

        def crash(*arguments: object) -> object:
            hit = next(count) == time
            if hit and before:
                raise Crash
            answer = asked(*arguments)
            if hit:
                raise Crash
            return answer

        setattr(self, step, crash)


@pytest.mark.parametrize("fresh", [False, True], ids=["one conductor", "a new one every turn"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("step", "time"), STEPS)
def test_the_next_conductor_goes_on(lab, step, time, before, fresh):
    lab.define(STAGES, units=6)
    with (
        pytest.raises(Crash),
        lab.conductor(site=CrashingSite(lab, step, before=before, time=time)) as conductor,
    ):
        conductor.run()
    assert (run_afresh(lab.conductor) if fresh else lab.run()).code == 0
    units = [f"u{n}" for n in range(1, 7)]
    assert lab.runs() == {f"{stage}-{unit}": 1 for stage in "ab" for unit in units} | {"all": 1}
    assert sorted(lab.read("all").split()) == units
    assert {path.suffix for path in (lab.root / ".penstock/jobs").iterdir()} == {".zip", ".pyz"}

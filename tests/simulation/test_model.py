"""The model of batches tells what the engine does."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from tests.simulation.test_simulation import COPY, HEAD, JOIN, NOW, SMALL, campaign

from penstock.campaign import Campaign
from penstock.simulation import Course, Shape, simulate
from penstock.testing import make_campaign

FOLLOW = """
[stage.check]
each = "run"
with = "copy"
command = ["cp", "{inputs.copy}", "{product}"]
products = "check/{night}/{run}.txt"
"""
KEYED = """
[stage.dark]
each = "run"
where = "run < 2"
command = ["not-there", "{product}"]
products = "dark/{night}/{run}.txt"
[stage.use]
each = "run"
where = "run >= 2"
after = [{ stage = "dark", key = ["n{dark_of}", "{dark_of}"] }]
command = ["cp", "{inputs.dark}", "{product}"]
products = "use/{night}/{run}.txt"
"""
TIMES = {"copy": 60.0, "check": 7.0, "join": 300.0, "dark": 100.0, "use": 10.0}


def both(it: Campaign, shape: Shape, **options: Any) -> tuple[list[Course], list[Course]]:
    """Return courses by the model and by the engine."""
    known = {stage.name for stage in it.stages}
    given = {
        "courses": 1,
        "now": NOW,
        "times_s": {name: time for name, time in TIMES.items() if name in known},
        **options,
    }
    [model], [engine] = simulate(it, shape, way="model", **given), simulate(it, shape, way="engine", **given)
    return [*model.courses], [*engine.courses]


@pytest.mark.parametrize(
    "stages",
    [
        COPY,
        COPY + JOIN,
        COPY + FOLLOW + JOIN,
        COPY.replace("batch = 1", "batch = 7") + JOIN,
        COPY + "max_running = 3\n",
        COPY.replace("batch = 1", 'batch = 7\narray = "night"') + JOIN,
    ],
    ids=["one stage", "a merge", "a follower", "batches of seven", "three at once", "arrays of nights"],
)
def test_what_is_certain_is_as_the_engine_has_it(tmp_path: Path, stages: str) -> None:
    """Within 2 %: both look 200 times or more in the time that the work takes."""
    [model], [engine] = both(campaign(tmp_path, stages), SMALL)
    assert model.finish_s == pytest.approx(engine.finish_s, rel=0.02)
    assert model.core_s == pytest.approx(engine.core_s, rel=0.02)
    assert (model.states, model.attempts, model.elements) == (engine.states, engine.attempts, engine.elements)


def test_upstreams_that_fields_name_are_waited_for(tmp_path: Path) -> None:
    rows = "".join(f"n{n % 2},{n},{n % 2}\n" for n in range(20))
    head = HEAD.replace('run = "int"', 'run = "int", dark_of = "int"')
    it = make_campaign(tmp_path, head + KEYED, {"runs.csv": "night,run,dark_of\n" + rows}).load()
    [model], [engine] = both(it, SMALL)
    assert model.states == engine.states == {"done": 20}
    assert model.ends_s["dark"] < model.ends_s["use"]
    assert model.finish_s == pytest.approx(
        engine.finish_s, rel=0.05
    )  # short work, and a wait of two minutes in it


def test_what_chance_decides_is_alike_on_average(tmp_path: Path) -> None:
    """The mean of 12 courses, whose finish varies by 8 %, is uncertain by 2.3 % each: 7 % is two of both together."""
    model, engine = both(
        campaign(tmp_path, COPY + JOIN, units=100), Shape(2, 4, queue_s=120.0), courses=12, failing=0.03
    )
    assert mean(c.finish_s for c in model) == pytest.approx(mean(c.finish_s for c in engine), rel=0.07)
    assert mean(c.attempts.get("error", 0) for c in model) == pytest.approx(
        mean(c.attempts.get("error", 0) for c in engine), rel=0.5
    )
    assert all(c.states == {"done": 102} for c in (*model, *engine))


def test_what_failed_for_good_blocks_what_waits_for_it(tmp_path: Path) -> None:
    it = campaign(tmp_path, COPY + JOIN, 4)
    [forecast] = simulate(
        it, SMALL, courses=1, times_s={"copy": 60.0, "join": 1.0}, failing=1.0, now=NOW, way="model"
    )
    assert forecast.courses[0].states == {"blocked": 2, "failed": 4}
    assert forecast.undone == 6


def test_the_same_seed_gives_the_same_course_by_the_model_too(tmp_path: Path) -> None:
    it, shape = campaign(tmp_path), Shape(1, 4, queue_s=100.0)
    given: dict[str, Any] = {"courses": 2, "times_s": {"copy": 60.0}, "now": NOW, "way": "model"}
    [first], [again] = simulate(it, shape, **given), simulate(it, shape, **given)
    assert first == again
    assert first.courses[0] != first.courses[1]


def test_tasks_of_this_machine_run_on_its_cores(tmp_path: Path) -> None:
    local = HEAD.replace('site = "far"\n', "") + "[site.local]\ncores = 4\n"
    it = campaign(tmp_path, COPY.replace("not-there", "true"), head=local)
    [model], [engine] = both(it, SMALL)
    assert model.finish_s == pytest.approx(engine.finish_s, rel=0.05)
    assert 600 <= model.finish_s <= 630

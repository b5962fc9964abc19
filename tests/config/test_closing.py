"""The steps of a closing become stages at its level, in their order."""

from collections.abc import Callable

import pytest

from penstock.campaign import Campaign
from penstock.config import from_json, to_json
from penstock.errors import DefinitionError

Define = Callable[..., Campaign]

STAGES = """
[stage.copy]
each = "file"
command = ["cp", "{path}", "{product}"]
products = "copies/{night:%Y-%m-%d}/{run}/{file}.wav"
[stage.sum]
each = "night"
after = ["copy"]
command = ["sum", "{inputs_file.copy}", "{product}"]
products = "sums/{night:%Y-%m-%d}.txt"
[stage.plot]
each = "night"
after = ["sum"]
command = ["plot", "{inputs.sum}", "{product}"]
products = "plots/{night:%Y-%m-%d}.png"
"""


def waits(campaign: Campaign, stage: str) -> set[str]:
    return {after.stage for after in campaign.stage(stage).after}


def test_a_closing_verifies_and_seals_after_all_stages_of_the_level(define: Define) -> None:
    campaign = define(STAGES + "[close.night]\n")
    assert [stage.name for stage in campaign.stages if stage.closing] == [
        "close.night.verify",
        "close.night.seal",
    ]
    assert waits(campaign, "close.night.verify") == {"copy", "sum", "plot"}
    assert waits(campaign, "close.night.seal") == {"copy", "sum", "plot", "close.night.verify"}
    assert {stage.site for stage in campaign.stages if stage.closing} == {"local"}


def test_a_merge_runs_between_the_steps_that_it_stands_between(define: Define) -> None:
    campaign = define(STAGES + '[close.night]\nsteps = ["verify", { merge = "sum" }, "seal"]\n')
    assert waits(campaign, "close.night.verify") == {"copy"}
    assert waits(campaign, "sum") == {"copy", "close.night.verify"}
    assert waits(campaign, "close.night.seal") == {"copy", "close.night.verify", "sum", "plot"}


def test_a_coarser_closing_waits_for_the_finer_one(define: Define) -> None:
    campaign = define(STAGES + "[close.night]\n[close.run]\n")
    assert "close.run.seal" in waits(campaign, "close.night.verify")
    assert "close.night.seal" not in waits(campaign, "close.run.verify")


def test_a_seal_has_its_path_by_the_level_or_as_it_says(define: Define) -> None:
    paths = [p.path.text for p in define(STAGES + "[close.run]\n").stage("close.run.seal").products]
    assert paths == [
        "seals/run/{night:%Y-%m-%d}/{run:05d}.json",
        "seals/run/{night:%Y-%m-%d}/{run:05d}.sha256",
    ]
    own = define(STAGES + '[close.run]\nsteps = ["verify", { seal = "closed/{run}" }]\n')
    assert [p.path.text for p in own.stage("close.run.seal").products] == [
        "closed/{run}.json",
        "closed/{run}.sha256",
    ]
    whole = define(STAGES + "[close.campaign]\n").stage("close.campaign.seal").products
    assert [p.path.text for p in whole] == ["seals/campaign.json", "seals/campaign.sha256"]


def test_its_frozen_copy_has_all_of_it(define: Define) -> None:
    campaign = define(STAGES + '[close.night]\nnot_before = "08:00 next day"\ntime_zone = "Europe/Madrid"\n')
    assert from_json(to_json(campaign)).stages == campaign.stages


def test_a_closing_makes_no_merge_stale_and_a_new_stage_no_closing(define: Define) -> None:
    before = define(STAGES)
    steps = '[close.night]\nsteps = ["verify", { merge = "sum" }, "seal"]\n'
    closed = define(STAGES + steps)
    assert closed.stage("sum").digest == before.stage("sum").digest
    more = define(STAGES + steps + '[stage.more]\neach = "file"\ncommand = ["true"]\n')
    assert more.stage("close.night.seal").digest == closed.stage("close.night.seal").digest


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[close.nihgt]\n", 22, "there is no level 'nihgt' to close; did you mean 'night'?"),
        ('[close.night]\nsteps = ["verify", "sael"]\n', 23, "'sael' is no step of a closing; did you mean 'seal'?"),
        ('[close.night]\nsteps = ["seal", "verify"]\n', 23, "begin with 'verify' and end with 'seal'"),
        ('[close.night]\nsteps = ["verify", "verify", "seal"]\n', 23, "the step 'verify' stands twice"),
        ('[close.night]\nsteps = [{ verify = "x" }, "seal"]\n', 23, "the step 'verify' names nothing"),
        ('[close.night]\nsteps = ["verify", { merge = "smu" }, "seal"]\n', 23, "there is no stage 'smu'; did you mean"),
        ('[close.run]\nsteps = ["verify", { merge = "sum" }, "seal"]\n', 23, "'sum' is of the level 'night'"),
        ('[close.night]\nsteps = ["verify", { merge = "sum", seal = "x" }]\n', 23, "a step is one word"),
        ('[close.night]\nnot_before = "8 am"\n', 23, "'8 am' is no time"),
        ('[close.run]\nnot_before = "08:00"\n', 23, "'run' is not one; remove it"),
        ('[close.run]\ndeadline = "18:00"\n', 23, "`deadline` needs a date, and 'run' is not one; remove it"),
        ('[close.night]\ntime_zone = "Madrid"\n', 23, "is no time zone that this machine knows"),
        ('[close.night]\nmembers = "some"\n', 23, "must be one of 'all' or 'done'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(define: Define, text: str, line: int, said: str) -> None:
    with pytest.raises(DefinitionError) as error:
        define(STAGES + text)
    assert said in str(error.value)
    assert error.value.line == line

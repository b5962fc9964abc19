"""From `[move.NAME]` and the step that names it to a destination, two stages and a product."""

from collections.abc import Callable

import pytest
from tests.config.test_closing import STAGES, waits

from penstock.campaign import Campaign
from penstock.config import from_json, to_json
from penstock.config.collisions import check_collisions
from penstock.config.places import Places
from penstock.errors import DefinitionError

Define = Callable[..., Campaign]
MOVE = '[move.final]\nto = "final"\nfiles = ["sum", { stage = "copy", to = "raw/{night:%Y}/" }]\n'
CLOSE = '[close.night]\nsteps = ["verify", { merge = "sum" }, { move = "final" }, "seal"]\n'
WHOLE = STAGES + MOVE + CLOSE


def test_it_says_what_goes_where_and_survives_the_record(define: Define) -> None:
    campaign = define(WHOLE)
    final = campaign.move["final"]
    assert (final.name, final.to) == ("final", "final")
    assert [(one.stage, one.product, one.to and one.to.text) for one in final.files] == [
        ("sum", None, None),
        ("copy", None, "raw/{night:%Y}/"),
    ]
    assert from_json(to_json(campaign)).move == campaign.move


def test_the_step_is_two_tasks_one_after_the_other(define: Define) -> None:
    campaign = define(WHOLE)
    step = campaign.stage("close.night.move-final")
    assert {"sum", "close.night.verify"} <= waits(campaign, step.name)
    assert [one.path.text for one in step.products] == ["moved/final/night/{night:%Y-%m-%d}.json"]
    assert step.name in waits(campaign, "close.night.clear-final")
    assert campaign.stage("close.night.clear-final").products == ()
    assert "close.night.clear-final" in waits(campaign, "close.night.seal")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('move = "final" }', 'move = "finl" }', r"there is no \[move.finl\]; did you mean 'final'"),
        ('{ move = "final" }', '"move"', r"there is no \[move.\]; there are final"),
        ('{ move = "final" }', '{ clear = "final" }', "'clear' is no step of a closing"),
        ('{ move = "final" }', '{ move = "final" }, { move = "final" }', "'move-final' stands twice"),
        ('{ move = "final" }, ', "", r"no closing moves anything to \[move.final\]"),
        ('["sum", ', '["smu", ', "moves products of a stage 'smu', which is not there; did you mean 'sum'"),
        ('["sum", ', '["close.night.seal", ', "is a step of a closing"),
        ('stage = "copy"', 'stage = "copy", product = "x"', "has no product 'x'; there are product"),
        (
            '{ merge = "sum" }, { move = "final" }',
            '{ move = "final" }, { merge = "sum" }',
            "runs after the step",
        ),
        ('to = "final"', 'to = "."', "are at that place already"),
        ('"raw/{night:%Y}/"', '"../{night:%Y}/"', "is no place below the folder"),
        ('"raw/{night:%Y}/"', '".penstock/{night:%Y}/"', "is no place below the folder"),
        ('"raw/{night:%Y}/"', '"raw"', "would be moved as 'raw'"),
    ],
)
def test_what_is_wrong_is_told_by_name(define: Define, old: str, new: str, why: str) -> None:
    assert old in WHOLE
    with pytest.raises(DefinitionError, match=why):
        define(WHOLE.replace(old, new))


def test_what_a_smaller_group_has_sealed_is_moved_with_that(define: Define) -> None:
    with pytest.raises(DefinitionError, match=r"'copy' are sealed with each run; move them in \[close.run\]"):
        define(WHOLE + "[close.run]\n")
    of_run = CLOSE.replace("close.night", "close.run").replace('{ merge = "sum" }, ', "")
    define(STAGES + MOVE.replace('"sum", ', "") + of_run + "[close.night]\n")


def test_what_a_source_would_find_there_is_refused(define: Define) -> None:
    place = '{ stage = "copy", to = "{night:%Y-%m-%d}/{run:05d}_x{file}.wav" }'
    campaign = define(
        STAGES + CLOSE + f'[move.final]\nto = "audio"\nfiles = ["sum", {place}]\n',
    )
    with pytest.raises(
        DefinitionError, match=r"what \[move.final\] puts at 'audio/.*would be found as a new unit"
    ):
        check_collisions(campaign, Places())

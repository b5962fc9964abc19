"""From `[publish.NAME]` and the step that names it to a publication, a stage and its product."""

from collections.abc import Callable

import pytest
from tests.config.test_closing import STAGES, waits

from penstock.campaign import Campaign
from penstock.config import from_json, to_json
from penstock.errors import DefinitionError

Define = Callable[..., Campaign]
WEB = STAGES + '[publish.web]\nto = "public"\nfiles = ["sum", { stage = "copy", to = "raw/{night:%Y}/" }]\n'
CLOSE = '[close.night]\nsteps = ["verify", { merge = "sum" }, { publish = "web" }, "seal"]\n'


def test_it_says_what_goes_where_and_survives_the_record(define: Define) -> None:
    campaign = define(WEB)
    web = campaign.publish["web"]
    assert (web.to, web.level, web.site) == ("public", 1, None)
    assert [(one.stage, one.product, one.to and one.to.text) for one in web.files] == [
        ("sum", None, None),
        ("copy", None, "raw/{night:%Y}/"),
    ]
    assert from_json(to_json(campaign)).publish == campaign.publish


def test_the_step_waits_for_those_before_and_is_tried_again(define: Define) -> None:
    campaign = define(WEB + CLOSE)
    step = campaign.stage("close.night.publish-web")
    assert {"sum", "close.night.verify"} <= waits(campaign, step.name)
    assert [one.path.text for one in step.products] == ["published/web/night/{night:%Y-%m-%d}.json"]
    assert (step.retry["error"].times, step.retry["error"].delays_s) == (3, (60.0, 300.0, 1500.0))
    assert step.name in waits(campaign, "close.night.seal")


def test_one_closing_publishes_at_several_places(define: Define) -> None:
    more = CLOSE.replace('{ publish = "web" }', '{ publish = "web" }, { publish = "archive" }')
    campaign = define(WEB + '[publish.archive]\nto = "/archive"\nfiles = "plot"\n' + more)
    assert "close.night.publish-web" in waits(campaign, "close.night.publish-archive")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('publish = "web" }', 'publish = "wbe" }', r"there is no \[publish.wbe\]; did you mean 'web'"),
        ('{ publish = "web" }', '"publish"', r"there is no \[publish.\]; there are web"),
        ('{ publish = "web" }', '{ publish = "web" }, { publish = "web" }', "'publish-web' stands twice"),
        ('["sum", ', '["smu", ', "which is not there; did you mean 'sum'"),
        ('["sum", ', '["close.night.seal", ', "runs when all else is published"),
        ('stage = "copy"', 'stage = "copy", product = "x"', "has no product 'x'; there are product"),
        ('to = "public"', 'to = "public"\nsite = "web"', "there is no site 'web'; there are local"),
        ('to = "public"', 'to = "public"\neach = "campaign"', "is published when a night is closed"),
        ('to = "public"', 'to = "public"\neach = "nigth"', "did you mean 'night'"),
    ],
)
def test_what_is_wrong_is_told_by_name(define: Define, old: str, new: str, why: str) -> None:
    assert old in WEB + CLOSE
    with pytest.raises(DefinitionError, match=why):
        define((WEB + CLOSE).replace(old, new))

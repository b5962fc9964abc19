"""The task object, without a process."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from penstock.runner.errors import Unfit
from penstock.runner.scratch import render_template
from penstock.runner.spec import parse_stage
from penstock.runner.task import Task, Verdict
from penstock.runner.values import parse_time


def make(data=None, **stage):
    return Task(
        data or {"key": ["2020-01-17", 7]},
        parse_stage("s", {"id": 1, **stage}),
        products={"psd": "/tmp/x.npz"},
        root="/campaign",
    )


def test_a_key_is_a_tuple():
    assert make().key == ("2020-01-17", 7)


def test_typed_values_are_found_in_the_key_by_level_or_by_field():
    data = {"key": ["2020-01-17", 7], "fields": {"night": "2020-01-17", "n": 1}}
    night = datetime(2020, 1, 17, tzinfo=UTC)
    assert make(data, types={"night": "datetime"}, levels=["night", "run"]).key == (night, 7)
    assert make(data, types={"night": "datetime"}).key == (night, 7)
    assert make(data, types={"night": "datetime"}).fields == {"night": night, "n": 1}


def test_inputs_are_paths_in_the_campaign_by_stage():
    task = make({"inputs": {"calib": ["a.h5"], "all": ["/x/y", "z"]}})
    assert task.input("calib") == Path("/campaign/a.h5")
    assert dict(task.inputs)["all"] == [Path("/x/y"), Path("/campaign/z")]
    with pytest.raises(ValueError, match="2 inputs"):
        task.input("all")
    with pytest.raises(KeyError):
        task.input("nothing")


def test_products_are_paths_by_name():
    assert make().product("psd") == Path("/tmp/x.npz")
    with pytest.raises(ValueError, match="it has: psd"):
        make().product()


def test_a_task_may_change_its_copy_of_the_parameters():
    task = make(params={"window": 8})
    task.params["window"] = 9
    assert task.params == {"window": 8}


def test_an_expand_needs_the_level():
    task = make(expands="roi")
    task.expand(roi=1, x=2)
    assert task.children == [[1, {"x": 2}]]
    with pytest.raises(ValueError, match="level roi"):
        task.expand(x=2)


def test_verdicts_carry_their_reason():
    for end, verdict in ((make().fail, "permanent"), (make().veto, "veto")):
        with pytest.raises(Verdict) as caught:
            end("because")
        assert (caught.value.verdict, caught.value.why) == (verdict, "because")


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2020-01-17", datetime(2020, 1, 17, tzinfo=UTC)),
        ("2020-01-17T03:04", datetime(2020, 1, 17, 3, 4, tzinfo=UTC)),
        ("2020-01-17 03:04:05.25", datetime(2020, 1, 17, 3, 4, 5, 250000, tzinfo=UTC)),
        ("2020-01-17T03:04:05.123456789Z", datetime(2020, 1, 17, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2020-01-17T03:04:05-02:30", datetime(2020, 1, 17, 3, 4, 5, tzinfo=timezone(-timedelta(hours=2.5)))),
    ],
)
def test_times_are_aware(text, time):
    assert parse_time(text) == time
    assert parse_time(text).tzinfo is not None


def test_what_is_no_time_is_refused():
    with pytest.raises(ValueError, match="not an ISO time"):
        parse_time("17.1.2020")


def test_a_template_leaves_other_braces_alone():
    text = 'struct {int x;}; {"a": {{b}}} {n:>4} {{n}} {param.w}'
    filled = render_template(text, {"n": 7, "param.w": 0.5}, "t")
    assert filled == 'struct {int x;}; {"a": {b}}    7 {n} 0.5'


def test_a_template_with_an_unknown_name_or_format_is_unfit():
    with pytest.raises(Unfit, match="unknown; known are: n"):
        render_template("{m}", {"n": 1}, "t")
    with pytest.raises(Unfit, match="cannot format"):
        render_template("{n:05d}", {"n": "a"}, "t")

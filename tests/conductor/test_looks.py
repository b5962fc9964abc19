"""A look at many products is put off while none moved since the last one, and never longer than a day."""

import json
import os

import pytest

from penstock.conductor.looks import DAY_S, FEW, SEEN, begin_look, end_look, nothing_moved
from penstock.ledger.products import recorded

STAGE = """
[stage.a]
each = "unit"
command = ["sh", "-c", "echo $1 > $0", "{product}", "{unit}"]
products = "out/{unit}"
"""


@pytest.fixture
def context(lab):
    lab.define(STAGE, units=3).run()
    os.utime(lab.root / "out", (1e9, 1e9))
    with lab.conductor() as conductor:
        yield conductor.crew.context


def look(context, *, times=FEW):
    """Look at the products as if each were so many."""
    end_look(context.ledger, begin_look(context, recorded(context.ledger.db) * times))


def test_after_a_look_at_many_nothing_moved(context):
    assert not nothing_moved(context)
    look(context)
    assert nothing_moved(context)


def test_few_are_looked_at_each_time(context):
    look(context, times=1)
    assert not nothing_moved(context)


@pytest.mark.parametrize("change", ["rm out/u1", "mv out/u1 out/u4", "rm -r out", "touch out/new"])
def test_what_changes_a_folder_is_seen(context, lab, change):
    look(context)
    os.system(f"cd {lab.root} && {change}")
    assert not nothing_moved(context)


def test_what_is_written_in_place_waits_for_the_next_day(context, lab):
    look(context)
    lab.write("out/u1", "other bytes")
    assert nothing_moved(context)
    seen = json.loads(context.ledger.meta(SEEN))
    for at in (seen["at"] - DAY_S, seen["at"] + DAY_S):  # a day ago, and by a clock that was put back since
        end_look(context.ledger, json.dumps({**seen, "at": at}))
        assert not nothing_moved(context)


def test_another_attempt_is_looked_at(context):
    look(context)
    with context.ledger.transaction() as db:
        db.execute("INSERT INTO attempt (stage, unit, outcome, ended) VALUES (1, 2, 'ok', 0)")
        assert not nothing_moved(context)
        db.execute("DELETE FROM attempt WHERE id = (SELECT max(id) FROM attempt)")


def test_a_folder_that_changed_just_now_is_not_relied_on(context, lab):
    os.utime(lab.root / "out")
    look(context)
    assert not nothing_moved(context)


def test_a_look_that_found_something_is_repeated(context):
    look(context)
    end_look(context.ledger, None)
    assert not nothing_moved(context)

"""`status --fresh` is for cron and monitors: it fails when nobody works any more."""

import sqlite3
from contextlib import closing

import pytest


@pytest.fixture
def turned(winter, penstock):
    """Let the last turn be so many seconds ago."""
    penstock("run", "-C", winter)

    def set_back(seconds):
        with closing(sqlite3.connect(winter / ".penstock/ledger.sqlite")) as db:
            db.execute("UPDATE lease SET turned = turned - ?", (seconds,))
            db.commit()
        return winter

    return set_back


def test_a_campaign_that_just_took_a_turn_is_fresh(turned, penstock):
    assert penstock("status", "-C", turned(0), "--fresh", "1h").exit_code == 0


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_one_whose_last_turn_is_too_old_exits_with_one_and_says_so(turned, penstock, options):
    shown = penstock("status", "-C", turned(3 * 3600), "--fresh", "90min", *options)
    assert shown.exit_code == 1
    assert "penstock: the last turn was 3 h" in shown.stderr
    assert penstock("status", "-C", turned(0), "--fresh", "1d").exit_code == 0


def test_one_that_never_ran_is_not_fresh(winter, penstock):
    shown = penstock("status", "-C", winter, "--fresh", "1h")
    assert shown.exit_code == 1
    assert "no turn has been taken yet" in shown.stderr


def test_a_time_that_is_none_is_refused(winter, penstock):
    shown = penstock("status", "-C", winter, "--fresh", "soon")
    assert shown.exit_code == 2
    assert "'soon' is not a duration" in shown.stderr

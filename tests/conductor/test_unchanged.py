"""A table that is as it was is not read again; whatever else changes its units is seen."""

import os

import pytest

from penstock.conductor.discovery import Discoverer
from penstock.config import load

STAGE = """
[stage.a]
each = "unit"
command = ["sh", "-c", "echo $1 >> runs; echo $1 > $0", "{product}", "{unit}"]
products = "out/{unit}"
"""
TWO, THREE = "unit\nu1\nu2\n", "unit\nu1\nu2\nu3\n"


def is_skipped(lab):
    """Whether a new conductor would leave the table unread."""
    with lab.conductor() as conductor:
        (source,) = load(lab.root).sources
        return Discoverer(conductor.crew.context).look(source).same


def gone(lab):
    return [row["key"] for row in lab.rows("SELECT key FROM unit WHERE gone IS NOT NULL ORDER BY id")]


@pytest.fixture
def known(lab):
    """A campaign of two units whose table was read."""
    lab.define(STAGE, units=2).run()
    assert is_skipped(lab)
    return lab


def test_a_table_is_read_before_it_is_known(lab):
    assert not is_skipped(lab.define(STAGE, units=2))


def test_a_known_table_gives_the_same_units(known):
    assert known.run().code == 0
    assert known.states("a") == {"done": 2} == {"done": len(known.runs())}


def test_a_change_is_seen_that_keeps_size_and_time(known):
    before = (known.root / "units.csv").stat()
    known.write("units.csv", TWO.replace("u2", "u3"))
    os.utime(known.root / "units.csv", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not is_skipped(known)
    known.run()
    assert (known.states("a"), gone(known)) == ({"done": 3}, ['["u2"]'])


def test_what_was_read_in_between_does_not_stay(known):
    bad = known.write("units.csv", THREE + "u4,too many cells\n")
    known.run(allow_problems=True)
    assert not is_skipped(known), "its problem has to be told again"
    bad.write_text(TWO)
    known.run()
    assert (known.states("a"), gone(known)) == ({"done": 3}, ['["u3"]'])


def test_a_table_that_was_away_is_read_again(known):
    os.rename(known.root / "units.csv", known.root / "away")
    known.run(allow_problems=True)
    os.rename(known.root / "away", known.root / "units.csv")
    assert not is_skipped(known)
    known.run()
    assert known.states("a") == {"done": 2}


def test_another_definition_reads_it_again(known):
    head = known.read("penstock.toml").split("[stage.a]")[0]
    known.define(STAGE, head=head.replace('units.csv"', 'units.csv"\nderive = { double = "unit + unit" }'))
    known.run()
    assert [row["fields"] for row in known.rows("SELECT fields FROM unit WHERE level = 1")] == [
        '{"double":"u1u1"}',
        '{"double":"u2u2"}',
    ]
    assert is_skipped(known)


def test_units_that_nobody_believes_gone_are_sought_again(lab):
    lab.define(STAGE, units=6).run()
    lab.write("units.csv", TWO)
    for _ in range(2):
        lab.run(allow_problems=True)
        assert not is_skipped(lab)
        assert gone(lab) == []
    lab.run(accept_gone=True)
    assert gone(lab) == [f'["u{n}"]' for n in range(3, 7)]
    assert is_skipped(lab)

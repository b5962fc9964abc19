"""A source that is as it was is not scanned again; whatever changes its units is seen."""

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
FILES = """\
[campaign]
name = "lab"
levels = ["unit"]
[units]
files = "in/{unit}.txt"
settle = "0s"
[site.local]
cores = 2
"""
TWO, THREE = "unit\nu1\nu2\n", "unit\nu1\nu2\nu3\n"


def look(lab):
    """Scan the source as a new conductor would; return whether that was not needed, and what was found."""
    with lab.conductor() as conductor:
        (source,) = load(lab.root).sources
        return Discoverer(conductor.crew.context).look(source)


def is_skipped(lab):
    return look(lab).same


def gone(lab):
    return [row["key"] for row in lab.rows("SELECT key FROM unit WHERE gone IS NOT NULL ORDER BY id")]


def run_twice(lab):
    for _ in range(2):
        assert lab.run().code == 0
    return lab


@pytest.fixture
def table(lab):
    """A campaign of two units whose table was found unchanged."""
    return run_twice(lab.define(STAGE, units=2))


@pytest.fixture
def files(lab):
    """A campaign of two files that were found unchanged."""
    return two_files(lab, FILES)


def two_files(lab, head):
    for name in ("u1", "u2"):
        lab.write(f"in/{name}.txt", name)
    return run_twice(lab.define(STAGE, head=head))


@pytest.fixture(params=["table", "files"])
def known(request):
    return request.getfixturevalue(request.param)


def test_a_source_is_known_when_a_scan_found_nothing_new(lab):
    lab.define(STAGE, units=2)
    assert not is_skipped(lab)
    lab.run()
    assert not is_skipped(lab)
    lab.run()
    assert is_skipped(lab)


def test_a_known_source_gives_the_same_units(known):
    assert is_skipped(known)
    assert known.run().code == 0
    assert known.states("a") == {"done": 2} == {"done": len(known.runs())}


def test_a_table_that_changed_is_read_though_its_size_and_time_did_not(table):
    before = (table.root / "units.csv").stat()
    table.write("units.csv", TWO.replace("u2", "u3"))
    os.utime(table.root / "units.csv", ns=(before.st_atime_ns, before.st_mtime_ns))
    table.run()
    assert (table.states("a"), gone(table)) == ({"done": 3}, ['["u2"]'])


def test_what_was_read_in_between_does_not_stay(table):
    bad = table.write("units.csv", THREE + "u4,too many cells\n")
    for _ in range(2):
        table.run(allow_problems=True)
        assert not is_skipped(table), "its problem has to be told again"
    bad.write_text(TWO)
    table.run()
    assert (table.states("a"), gone(table)) == ({"done": 3}, ['["u3"]'])


def test_a_table_that_was_away_is_read_again(table):
    os.rename(table.root / "units.csv", table.root / "away")
    table.run(allow_problems=True)
    os.rename(table.root / "away", table.root / "units.csv")
    assert not is_skipped(table)
    table.run()
    assert (table.states("a"), gone(table)) == ({"done": 2}, [])


def test_another_definition_reads_it_again(table):
    head = table.read("penstock.toml").split("[stage.a]")[0]
    table.define(
        STAGE, head=head.replace('units.csv"', 'units.csv"\nderive = { double = "unit + unit" }')
    ).run()
    fields = [row["fields"] for row in table.rows("SELECT fields FROM unit WHERE level = 1")]
    assert fields == ['{"double":"u1u1"}', '{"double":"u2u2"}']


@pytest.mark.parametrize(
    ("change", "units", "lost"),
    [
        ("echo > in/u3.txt", 3, []),
        ("rm in/u2.txt", 2, ['["u2"]']),
        ("mv in/u2.txt in/u3.txt", 3, ['["u2"]']),
    ],
)
def test_another_file_is_seen(files, change, units, lost):
    os.system(f"cd {files.root} && {change}")
    files.run()
    assert (files.states("a"), gone(files)) == ({"done": units}, lost)


@pytest.mark.parametrize("change", ["echo more >> in/u2.txt", "touch -d 2020-01-01 in/u2.txt"])
def test_a_changed_file_is_seen(files, change):
    os.system(f"cd {files.root} && {change}")
    files.run()
    assert files.task("a", "u2")["stale"]
    assert not files.task("a", "u1")["stale"]


@pytest.mark.parametrize(
    "change", ["touch in/x.txt", "ln -s nowhere in/u3.txt", "mkfifo in/u3.txt", "mv in away"]
)
def test_a_problem_beside_known_files_is_told_each_time(lab, change):
    two_files(lab, FILES.replace("{unit}", "u{unit:d}"))
    assert is_skipped(lab)
    os.system(f"cd {lab.root} && {change}")
    for _ in range(2):
        state = look(lab)
        assert not state.same
        assert state.problems or state.missing_roots
        lab.run(allow_problems=True)


def test_a_file_that_is_not_at_rest_is_looked_at_again(files):
    files.define(STAGE, head=FILES.replace('"0s"', '"1h"'))
    with files.conductor() as conductor:
        conductor.turn()
    assert len(look(files).unsettled) == 2


def test_units_that_nobody_believes_gone_are_sought_again(lab):
    lab.define(STAGE, units=6).run()
    lab.write("units.csv", TWO)
    for _ in range(3):
        lab.run(allow_problems=True)
        assert not is_skipped(lab)
        assert gone(lab) == []
    lab.run(accept_gone=True)
    assert gone(lab) == [f'["u{n}"]' for n in range(3, 7)]
    lab.run()
    assert is_skipped(lab)

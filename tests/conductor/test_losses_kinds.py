"""Products of every kind are missed and made again: optional ones, fanned ones, of followers, folders, groups."""

import pytest
from tests.conductor.test_losses import stale

HEAD = """\
[campaign]
name = "lab"
levels = ["night", "file"]
[units]
files = "in/{night}/{file}.txt"
settle = "0s"
complete = { night = "quiet 1s" }
[site.local]
cores = 2
"""
STAGES = """
[stage.a]
each = "file"
command = ["sh", "-c", "echo a-$3 >> runs; cat $2 mark > $0; test $3 = u || cp $2 $1", "{product.main}", "{product.extra}",
  "{path}", "{file}"]
products = { main = "a/{fan}/{file}", extra = { path = "extra/{file}", optional = true } }
[stage.b]
each = "file"
after = "a"
with = "a"
command = ["sh", "-c", "echo b-$2 >> runs; cat $1 > $0", "{product}", "{inputs.a.main}", "{file}"]
products = "b/{fan}/{file}"
[stage.tree]
each = "file"
after = "b"
command = ["sh", "-c", "echo tree-$2 >> runs; mkdir -p $0/in; cp $1 $0/in/x", "{product}", "{inputs.b}", "{file}"]
products = { product = { path = "tree/{file}/", folder = true } }
[stage.night]
each = "night"
after = "b"
command = ["sh", "-c", "echo night-$1 >> runs; shift; cat \\"$@\\" > $0", "{product}", "{night}", "{inputs.b}"]
products = "night/{night}"
"""
ALL = {"a-v": 1, "b-v": 1, "tree-v": 1, "night-one": 1}


@pytest.fixture
def made(lab):
    lab.write("mark", "1\n")
    for name in "uvwxyz":
        lab.write(f"in/{'one' if name < 'x' else 'two'}/{name}.txt", f"{name}\n")
    assert lab.define(STAGES, head=HEAD).run().code == 0
    (lab.root / "runs").unlink()
    return lab


def path_of(lab, stage, name, product="product"):
    sql = (
        "SELECT p.path FROM product p JOIN stage s ON s.id = p.stage JOIN unit u ON u.id = p.unit"
        " WHERE s.name = ? AND p.name = ? AND u.key LIKE '%\"' || ? || '\"]'"
    )
    return lab.rows(sql, stage, product, name)[0][0].rstrip("/")


CASES = [
    ("a", "v", "main", {"a-v": 1}),
    ("a", "v", "extra", {"a-v": 1}),
    ("b", "v", "product", {"b-v": 1}),
    ("tree", "v", "product", {"tree-v": 1}),
    ("night", "one", "product", {"night-one": 1}),
]


@pytest.mark.parametrize(("stage", "name", "product", "runs"), CASES)
def test_a_lost_product_of_any_kind_is_made_again_alone(made, stage, name, product, runs):
    place = made.root / path_of(made, stage, name, product)
    place.rename(made.root / "lost")
    made.run()
    assert list(stale(made).values()) == [f"product {place.relative_to(made.root)} is missing"]
    assert made.runs() == {}
    assert made.run(stale=True).code == 0
    assert made.runs() == runs
    assert place.exists()
    assert stale(made) == {}


@pytest.mark.parametrize(
    ("stage", "runs"),
    [
        ("a", ALL),
        ("b", {"b-v": 1}),
        ("tree", {"tree-v": 1}),
    ],
)
def test_redo_of_any_kind_and_what_follows_from_other_bytes(made, stage, runs):
    made.write("mark", "2\n")
    made.ask("redo", units=[made.unit("one", "v")], stage=stage)
    assert made.run().code == 0
    assert made.runs() == runs
    assert stale(made) == {}


def test_redo_of_a_group(made):
    made.ask("redo", units=[made.unit("one")], stage="night")
    assert made.run().code == 0
    assert made.runs() == {"night-one": 1}


def test_an_optional_product_that_was_never_made_is_not_missed(made):
    assert not (made.root / "extra/u").exists()
    made.run()
    assert stale(made) == {}
    assert made.command("ledger", "check", "--products").returncode == 0


def test_redo_while_a_conductor_is_at_work(made):
    process = made.start("watch")
    made.wait_until(lambda: made.holder() == process.pid, "at work")
    assert "will do it in its next turn" in made.command("redo", "one/v", "--stage", "b").stdout
    made.wait_until(lambda: made.runs() == {"b-v": 1} and not stale(made), "made again by the conductor")
    assert made.command("down").returncode == 0
    assert made.runs() == {"b-v": 1}


def test_what_was_stale_before_its_product_was_lost_is_stale_when_that_is_back(made):
    made.write("penstock.toml", made.read("penstock.toml").replace("echo tree-", "echo again-"))
    made.run()
    before = stale(made)
    assert len(before) == 6
    place = made.root / path_of(made, "tree", "v")
    place.rename(made.root / "lost")
    made.run()
    (made.root / "lost").rename(place)
    made.run()
    assert stale(made).keys() == before.keys()

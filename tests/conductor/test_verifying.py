"""Products are compared byte for byte with what was made; what differs is stale until it is made again."""

import json
import os
import signal

import pytest

HEAD = """\
[campaign]
name = "lab"
levels = ["file"]
[units]
files = "in/{file}.txt"
settle = "0s"
[site.local]
cores = 2
"""
STAGES = """
[stage.a]
each = "file"
command = ["sh", "-c", "echo a-$2 >> runs; cat $1 > $0", "{product}", "{path}", "{file}"]
products = "a/{file}"
[stage.tree]
each = "file"
after = "a"
command = ["sh", "-c", "echo tree-$2 >> runs; mkdir -p $0/in; cat $1 > $0/in/x; ln -s in/x $0/y", "{product}", "{inputs.a}",
  "{file}"]
products = { product = { path = "tree/{file}", folder = true } }
"""
FILES = ("u", "v", "w", "x", "y", "z")
OTHER = "differ from what was made"


@pytest.fixture
def made(lab):
    for name in FILES:
        lab.write(f"in/{name}.txt", f"{name}\n")
    lab.define(STAGES, head=HEAD).run()
    (lab.root / "runs").unlink()
    return lab


def rot(path):
    """Change a byte of a file as a bad disk does: neither its size nor its time tells of it."""
    status = path.stat()
    path.write_bytes(b"?" + path.read_bytes()[1:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def check(lab, *words):
    return lab.command("ledger", "check", "--products", *words)


def stale(lab):
    sql = "SELECT s.name || ' ' || u.key AS task, t.stale FROM task t JOIN stage s ON s.id = t.stage JOIN unit u"
    return dict(lab.rows(f"{sql} ON u.id = t.unit WHERE t.stale IS NOT NULL"))


def test_products_as_they_were_made_are_no_news(made):
    os.utime(made.root / "a/x", (1, 1))  # copied from an archive, say
    shown = check(made)
    assert shown.returncode == 0
    assert shown.stdout == "the ledger is consistent\n12 products compared: all unchanged\n"
    assert stale(made) == {}


def test_bytes_that_rotted_are_found_marked_and_made_again(made):
    rot(made.root / "a/x")
    rot(made.root / "tree/y/in/x")
    (made.root / "a/u").unlink()
    made.run()
    assert stale(made) == {'a ["u"]': "product a/u is missing"}
    shown = check(made)
    assert shown.returncode == 1
    assert "3 of 12 products compared are missing or changed" in shown.stdout
    assert "3 tasks marked stale: `penstock run --stale` redoes them" in shown.stdout
    expected = {
        'a ["u"]': "product a/u is missing",
        'a ["x"]': f"the bytes of product a/x {OTHER}",
        'tree ["y"]': f"the bytes of product tree/y {OTHER}",
    }
    assert stale(made) == expected
    made.run()
    assert stale(made) == expected, "a look at sizes and times does not take back what digests told"
    assert made.run(stale=True).code == 0
    assert made.runs() == {"a-u": 1, "a-x": 1, "tree-y": 1}
    assert check(made).returncode == 0


def test_what_is_put_back_is_no_longer_stale(made):
    rot(made.root / "a/x")
    check(made)
    assert stale(made)
    made.write("a/x", "x\n")
    shown = check(made)
    assert shown.returncode == 0, shown.stdout
    assert stale(made) == {}


def test_a_unit_and_a_stage_choose_what_is_read(made):
    for name in ("a/x", "tree/x/in/x", "a/y"):
        rot(made.root / name)
    told = json.loads(check(made, "x", "--stage", "a", "--json").stdout)
    assert (told["compared"], told["wrong"]) == (1, [])
    assert told["products"] == [
        {
            "stage": "a",
            "unit": "x",
            "path": "a/x",
            "kind": "different",
            "why": f"the bytes of product a/x {OTHER}",
        }
    ]
    assert "1 task marked stale" in told["answer"]
    assert list(stale(made)) == ['a ["x"]']
    assert made.command("ledger", "check", "x").returncode == 2


def test_something_odd_in_a_folder_and_a_file_in_its_place_differ(made):
    os.mkfifo(made.root / "tree/u/pipe")
    (made.root / "tree/v").rename(made.root / "aside")
    made.write("tree/v", "a file")
    shown = check(made, "--stage", "tree")
    assert shown.returncode == 1
    assert "it holds pipe, a named pipe" in shown.stdout
    assert sorted(stale(made)) == ['tree ["u"]', 'tree ["v"]']


def test_many_missing_are_a_disk_that_is_not_mounted(made):
    (made.root / "a").rename(made.root / "away")
    rot(made.root / "tree/u/in/x")
    shown = check(made)
    assert shown.returncode == 1
    assert "6 are missing at once, which is suspicious" in shown.stdout
    assert list(stale(made)) == ['tree ["u"]']


def test_the_conductor_that_is_at_work_is_asked(made):
    rot(made.root / "a/x")
    process = made.start("watch")
    made.wait_until(lambda: made.holder() == process.pid, "at work")
    assert "will do it in its next turn" in check(made).stdout
    made.wait_until(lambda: stale(made), "marked by the conductor")
    process.send_signal(signal.SIGINT)
    process.wait()
    assert stale(made) == {'a ["x"]': f"the bytes of product a/x {OTHER}"}


def test_a_product_that_was_made_again_meanwhile_is_left_as_it_is(made):
    row = made.rows("SELECT * FROM product WHERE path = 'a/x'")[0]
    one = {"stage": row["stage"], "unit": row["unit"], "path": "a/x", "digest": row["digest"], "why": "old"}
    answer = made.ask("compared", stale=[{**one, "mtime_ns": row["mtime_ns"] - 1}])
    assert answer == "no task became stale"
    assert stale(made) == {}

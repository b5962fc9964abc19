"""Products: found, hashed, moved and published; what else a task leaves is removed."""

import hashlib
import os

import pytest

from penstock.runner.digests import EMPTY, digest_file, digest_folder
from penstock.runner.errors import Unfit
from penstock.runner.products import (
    Found,
    Made,
    Planned,
    is_heavy,
    mark_of,
    move,
    publish,
    secure_products,
)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def test_the_temporary_name_ends_like_the_product_and_is_private(lab):
    end = lab.end(lab.shell(1, 'echo "$P"; : > "$P"', products=lab.product("out/a.npz")))
    assert lab.log(end).strip() == str(lab.root / f"out/.penstock/{lab.token}.1.1.1/a.npz")
    assert (lab.root / "out/a.npz").exists()
    assert lab.leftovers() == []


def test_what_else_a_task_leaves_is_removed_before_the_next(lab):
    text = 'cd "$(dirname "$P")" && ls -A && touch junk && mkdir -p d/e && chmod 0 d && : > "$P"'
    lab.run([lab.shell(unit, text, products=lab.product(f"out/{unit}")) for unit in range(3)])
    assert {lab.log(end) for end in lab.ends().values()} == {""}
    assert {end["o"] for end in lab.ends().values()} == {"ok"}
    assert sorted(os.listdir(lab.root / "out")) == ["0", "1", "2"]


def test_several_products_may_go_to_several_folders_and_some_be_optional(lab):
    products = {
        "psd": {"path": "a/1.npz"},
        "picture": {"path": "b/1.png"},
        "movie": {"path": "b/1.mp4", "optional": True},
    }
    argv = ["/bin/sh", "-c", 'printf p > "$1"; printf q > "$2"', "sh"]
    refs = [{"ref": "product.psd"}, {"ref": "product.picture"}]
    end = lab.end(lab.command(1, *argv, *refs, products=products))
    assert end["o"] == "ok"
    assert {name: made[:3] for name, made in end["products"].items()} == {
        "psd": ["a/1.npz", 1, sha(b"p")],
        "picture": ["b/1.png", 1, sha(b"q")],
    }
    assert end["products"]["psd"][3] == (lab.root / "a/1.npz").stat().st_mtime_ns
    assert (lab.root / "b/1.png").read_text() == "q"


def test_a_failed_task_leaves_the_old_product_as_it_was(lab):
    (lab.root / "x").write_text("old")
    products = lab.product("x", replace=True)
    assert lab.end(lab.shell(1, 'printf new > "$P"; exit 1', products=products))["o"] == "error"
    assert (lab.root / "x").read_text() == "old"
    assert lab.leftovers() == []


def test_a_product_may_be_a_folder_that_replaces_the_old_one(lab):
    (lab.root / "set.zarr").mkdir()
    (lab.root / "set.zarr/old").touch()
    text = 'mkdir -p "$P/in/ner" && printf 1 > "$P/a" && printf 22 > "$P/in/b" && ln -s a "$P/in/l"'
    end = lab.end(lab.shell(1, text, products=lab.product("set.zarr", folder=True, replace=True)))
    assert sorted(os.listdir(lab.root / "set.zarr")) == ["a", "in"]
    assert end["products"]["product"][:2] == ["set.zarr", 3]
    lines = [b"a\0" + sha(b"1").encode(), b"in/b\0" + sha(b"22").encode(), b"in/l\0" + sha(b"a").encode()]
    assert end["products"]["product"][2] == sha(b"".join(line + b"\n" for line in lines))
    assert lab.leftovers() == []


def test_a_file_where_a_folder_was_declared_is_missing(lab):
    end = lab.end(lab.shell(1, ': > "$P"', products=lab.product("x", folder=True)))
    assert (end["o"], end["why"]) == ("missing_product", "product x is a file, not a folder")


def test_a_product_that_is_a_link_becomes_what_it_leads_to(lab):
    (lab.root / "source").write_text("data")
    end = lab.end(lab.shell(1, 'ln -s "$PWD/source" "$P"', products=lab.product("x")))
    assert end["products"]["product"][:3] == ["x", 4, sha(b"data")]
    assert not (lab.root / "x").is_symlink()


def test_a_product_is_taken_from_the_one_file_of_a_pattern(lab):
    products = lab.product("dl1/run1.h5", **{"from": "dl1_*.h5"})
    argv = [
        "/bin/sh",
        "-c",
        'printf x > "$1/dl1_LST-1.$2.h5"; for f in $3; do : > "$1/dl1_$f.h5"; done',
        "sh",
    ]
    second = lab.product("dl1/run2.h5", **{"from": "dl1_*.h5"})
    third = lab.product("dl1/run3.h5", **{"from": "dl1_*.h5"})
    outdir = {"ref": "outdir"}
    lab.run(
        [
            lab.command(1, *argv, outdir, "1", "", products=products),
            lab.command(2, *argv, outdir, "1", "", products=second),
            lab.command(3, *argv, outdir, "1", "a b", products=third),
            lab.command(4, "true", products=lab.product("dl1/run4.h5", **{"from": "dl1_*.h5"})),
        ]
    )
    assert [lab.ends()[unit]["o"] for unit in (1, 2, 3, 4)] == [
        "ok",
        "ok",
        "missing_product",
        "missing_product",
    ]
    assert "3 files named dl1_*.h5" in lab.ends()[3]["why"]
    assert sorted(os.listdir(lab.root / "dl1")) == ["run1.h5", "run2.h5"]


def test_scratch_is_the_working_folder_and_products_are_taken_out_of_it(lab):
    lab.stage("netmc", scratch=True)
    text = 'printf x > result.nc; touch junk; pwd; [ "$S" = "$PWD" ]'
    task = lab.command(
        1,
        "/bin/sh",
        "-c",
        text,
        stage="netmc",
        products=lab.product("out/result.nc"),
        env={"S": {"ref": "scratch"}},
    )
    end = lab.end(task)
    assert end["o"] == "ok"
    assert lab.log(end).strip() == str(lab.root / f".penstock/scratch/{lab.token}.1.1.1.1")
    assert (lab.root / "out/result.nc").read_text() == "x"
    assert lab.leftovers() == []


def test_scratch_is_kept_after_a_failure_and_said_to_be(lab):
    lab.stage("netmc", scratch=True)
    end = lab.end(lab.shell(1, "echo core > dump; exit 1", stage="netmc"))
    kept = lab.root / f".penstock/scratch/{lab.token}.1.1.1.1"
    assert str(kept) in end["why"]
    assert (kept / "dump").exists()


def test_a_program_beside_the_campaign_is_found_from_a_scratch_folder_too(lab):
    (lab.root / "tool").write_text("#!/bin/sh\necho campaign\n")
    (lab.root / "tool.tpl").write_text("#!/bin/sh\necho scratch\n")
    (lab.root / "tool").chmod(0o755)
    lab.stage("a", scratch=True)
    lab.stage("b", scratch=True, templates={"tool": "tool.tpl"})
    lab.run([lab.command(1, "./tool", stage="a"), lab.shell(2, "chmod +x tool && ./tool", stage="b")])
    assert [lab.log(lab.ends()[unit]) for unit in (1, 2)] == ["campaign\n", "scratch\n"]


def test_templates_are_rendered_in_the_scratch_folder(lab):
    (lab.root / "netmc.tpl").write_text("n = {run:05d}\nt = {begin:%Y-%m-%d}\nw = {window} {{run}} {}\n")
    stage = {"scratch": True, "levels": ["run"], "types": {"begin": "datetime"}, "params": {"window": 8}}
    lab.stage("netmc", templates={"in/netmc.inpt": "netmc.tpl", "bad": "none.tpl"}, **stage)
    lab.stage("good", templates={"in/netmc.inpt": "netmc.tpl"}, **stage)
    fields = {"begin": "2020-01-17T03:04:05Z"}
    lab.run(
        [
            lab.shell(7, "cat in/netmc.inpt", stage="good", fields=fields),
            lab.shell(8, "true", stage="good"),
            lab.shell(9, "true", stage="netmc", fields=fields),
        ]
    )
    ends = lab.ends()
    assert lab.log(ends[7]) == "n = 00007\nt = 2020-01-17\nw = 8 {run} {}\n"
    assert "{begin}" in ends[8]["why"]
    assert "none.tpl cannot be read" in ends[9]["why"]


def test_list_files_reach_commands(lab):
    (lab.job / "inputs-abc.txt").write_text("x\ny\n")
    inputs = {"a": ["p q", "r"], "b": {"list": "inputs-abc.txt", "count": 2}, "c": ["two\nlines"]}
    refs = [{"ref": "inputs_file.a"}, {"ref": "inputs_file.b"}]
    lab.run(
        [
            lab.command(1, "cat", *refs, inputs=inputs),
            lab.command(2, "cat", {"ref": "inputs_file.c"}, inputs=inputs),
            lab.command(3, "echo", ["--in=", {"ref": "inputs_file.d"}], inputs=inputs),
        ]
    )
    ends = lab.ends()
    assert lab.log(ends[1]) == "p q\nr\nx\ny\n"
    assert "newline" in ends[2]["why"]
    assert ends[3]["why"] == "{inputs_file.d} has no value in this task"
    assert not (lab.job / "tmp").exists()


def test_big_products_are_hashed_beside_the_loop(lab):
    text = 'head -c 20000000 /dev/zero > "$P"'
    lab.run([lab.shell(unit, text, products=lab.product(f"out/{unit}")) for unit in (1, 2)], workers=2)
    expected = [20_000_000, sha(bytes(20_000_000))]
    assert [lab.ends()[unit]["products"]["product"][1:3] for unit in (1, 2)] == [expected, expected]
    assert (lab.root / "out/2").stat().st_size == 20_000_000


@pytest.mark.parametrize(
    ("files", "size", "heavy"), [(0, 0, False), (60, 10, False), (70, 0, True), (2, 5 << 20, True)]
)
def test_a_folder_is_hashed_beside_the_loop_when_it_holds_much(tmp_path, files, size, heavy):
    (tmp_path / "in").mkdir()
    for number in range(files):
        with open(tmp_path / "in" / str(number), "wb") as file:
            file.truncate(size)
    path = str(tmp_path)
    plan = Planned("set", "set", path, path, path, True, False, None, "", None, "{product}")
    assert is_heavy([Found(plan, path, 0)]) is heavy


def test_a_folder_with_many_folders_is_hashed_beside_the_loop(tmp_path):
    for number in range(70):
        (tmp_path / str(number)).mkdir()
    path = str(tmp_path)
    plan = Planned("set", "set", path, path, path, True, False, None, "", None, "{product}")
    assert is_heavy([Found(plan, path, 0)])


def test_a_folder_product_has_the_same_digest_however_much_it_holds(lab):
    text = 'mkdir "$P" && for n in $(seq $N); do echo "$n" > "$P/$n"; done'
    lab.run([lab.shell(n, f"N={n}; {text}", products=lab.product(f"out/{n}", folder=True)) for n in (3, 99)])
    for n in (3, 99):
        ((path, size, digest, *_),) = lab.ends()[n]["products"].values()
        assert (size, digest) == digest_folder(str(lab.root / path))


def test_a_folder_of_empty_files_is_made_durable_too(lab):
    (lab.modules / "sitecustomize.py").write_text(
        "import os, sys\n"
        "real = os.fsync\n"
        "def fsync(fd):\n"
        "    print('flushed', os.readlink(f'/proc/self/fd/{fd}'), file=sys.stderr)\n"
        "    real(fd)\n"
        "os.fsync = fsync\n"
    )
    tasks = [
        lab.shell(1, 'mkdir -p "$P/in" && : > "$P/in/x"', products=lab.product("out/set", folder=True)),
        lab.shell(2, ': > "$P"', products=lab.product("out/file")),
    ]
    said = lab.run(tasks, env={"PYTHONPATH": str(lab.modules)}).stderr
    flushed = {line[8:] for line in said.splitlines() if line.startswith(f"flushed {lab.root}")}
    assert flushed == {str(lab.root / path) for path in ("", "out", "out/set", "out/set/in", "out/set/in/x")}


def test_products_of_functions_are_treated_alike(lab):
    source = "def run(task):\n    path = task.product()\n    assert path.name == 'y.txt'\n    path.write_text('yes')"
    lab.function(source)
    lab.run([lab.python(1, products=lab.product("a/y.txt")), lab.python(2, products=lab.product("b/z.txt"))])
    assert lab.ends()[1]["products"]["product"][:3] == ["a/y.txt", 3, sha(b"yes")]
    assert lab.ends()[2]["why"] == "AssertionError"
    assert (lab.root / "a/y.txt").read_text() == "yes"


def test_a_folder_a_unit_leaves_no_private_folders_behind(lab):
    text = ': > "$P"'
    lab.run([lab.shell(unit, text, products=lab.product(f"u{unit}/x")) for unit in range(40)])
    assert {end["o"] for end in lab.ends().values()} == {"ok"}
    assert all(os.listdir(lab.root / f"u{unit}") == ["x"] for unit in range(40))


def test_a_product_outside_the_campaign_is_put_there(lab, tmp_path):
    path = tmp_path / "elsewhere/x"
    assert lab.end(lab.shell(1, ': > "$P"', products=lab.product(str(path))))["o"] == "ok"
    assert path.exists()


def test_a_folder_where_a_file_should_go_is_an_error_of_the_task(lab):
    (lab.root / "x").mkdir()
    (lab.root / "x/inner").touch()
    end = lab.end(lab.shell(1, 'printf 1 > "$P"', products=lab.product("x", replace=True)))
    assert end["o"] == "error"
    assert "cannot be published" in end["why"]
    assert (lab.root / "x/inner").exists()
    assert lab.leftovers() == []


def test_a_move_to_another_file_system_is_verified(tmp_path, elsewhere):
    other = str(elsewhere / "moved")
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/in").write_bytes(b"inner")
    move(str(tmp_path / "file"), other)
    assert digest_file(other) == (4, sha(b"data"))
    os.unlink(other)
    before = digest_folder(str(tmp_path / "folder"))
    move(str(tmp_path / "folder"), other)
    assert digest_folder(other) == before
    move(other, str(tmp_path / "back"))
    assert os.listdir(tmp_path) == ["back"]


def test_a_move_of_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        move(str(tmp_path / "none"), str(tmp_path / "x"))


def folder_to_publish(base):
    """Make an old folder product and the private folder beside it; return where a new one waits."""
    for folder in ("set", ".penstock/held"):
        (base / folder).mkdir(parents=True)
    (base / "set/old").touch()
    final, held = str(base / "set"), str(base / ".penstock/held/set")
    plan = Planned("set", "set", final, held, held, True, False, None, "", mark_of(final), "{product.set}")
    return Made("set", "set", final, held, 0, "", stamp=EMPTY), plan


def test_an_old_folder_stays_when_the_new_one_cannot_take_its_place(tmp_path):
    made, plan = folder_to_publish(tmp_path)
    with pytest.raises(FileNotFoundError):
        publish(made, plan)
    assert os.listdir(tmp_path / "set") == ["old"]


def test_an_old_folder_that_could_not_be_removed_is_not_in_the_way_of_the_next(tmp_path):
    made, plan = folder_to_publish(tmp_path)
    (tmp_path / ".penstock/held/set").mkdir()
    (tmp_path / ".penstock/held/.old/rest").mkdir(parents=True)
    publish(made, plan)
    assert os.listdir(tmp_path / "set") == []
    assert os.listdir(tmp_path / ".penstock/held") == []


@pytest.fixture
def late_folder(tmp_path):
    """A folder product that was hashed and waits for its name, and what a late writer finds there."""
    path, held = tmp_path / "work/set", tmp_path / "held/set"
    (path / "in").mkdir(parents=True)
    held.parent.mkdir()
    (path / "in/x").write_bytes(b"whole")
    (path / "y").touch()
    final = str(tmp_path / "set")
    plan = Planned("set", "set", final, str(path), str(held), True, False, None, "", None, "{product}")
    (made,) = secure_products([Found(plan, str(path), 0)])
    return made, plan, held


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "in/x").write_bytes(b"w h o l e"),
        lambda folder: (folder / "in/x").write_bytes(b"WHOLE"),
        lambda folder: (folder / "in/late").touch(),
        lambda folder: (folder / "y").unlink(),
        lambda folder: (folder / "y").rename(folder / "z"),
        lambda folder: os.mkfifo(folder / "pipe"),
    ],
)
def test_a_folder_that_was_changed_after_it_was_hashed_is_not_published(tmp_path, late_folder, change):
    made, plan, held = late_folder
    change(held)
    with pytest.raises(Unfit, match="product set was changed by another process"):
        publish(made, plan)
    assert not (tmp_path / "set").exists()


def test_a_folder_with_files_of_another_time_and_the_same_content_is_published(tmp_path, late_folder):
    made, plan, held = late_folder
    os.utime(held / "in/x", (1, 1))
    publish(made, plan)
    assert digest_folder(str(tmp_path / "set")) == (made.size, made.digest)


@pytest.fixture
def file_to_publish(tmp_path):
    """A file product that was hashed and waits for its name."""
    final, held = str(tmp_path / "x"), str(tmp_path / "held")
    (tmp_path / "held").write_bytes(b"whole")
    plan = Planned("x", "x", final, held, held, False, False, None, "", None, "{product}")
    return Made("x", "x", final, held, 5, sha(b"whole"), os.stat(held).st_mtime_ns), plan


def test_a_file_that_was_changed_after_it_was_hashed_is_not_published(tmp_path, file_to_publish):
    (tmp_path / "held").write_bytes(b"w h o l e")
    with pytest.raises(Unfit, match="product x was changed by another process"):
        publish(*file_to_publish)
    assert os.listdir(tmp_path) == []


def test_a_file_of_another_time_and_the_same_content_is_published(tmp_path, file_to_publish):
    os.utime(tmp_path / "held", (1, 1))
    assert publish(*file_to_publish).st_mtime == 1
    assert os.listdir(tmp_path) == ["x"]


def test_a_file_that_grows_while_it_is_hashed_is_refused(tmp_path):
    path, held = str(tmp_path / "x"), str(tmp_path / "held")
    (tmp_path / "x").touch()
    plan = Planned("x", "x", path, path, held, False, False, None, "", None, "{product}")
    found = [Found(plan, path, 0)]
    (tmp_path / "x").write_bytes(b"late")
    with pytest.raises(Unfit, match="product x was changed by another process"):
        secure_products(found)

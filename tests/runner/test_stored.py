"""Inputs that were sent to a site and lie in a store there: each attempt works on copies, and what is gone is told."""

import hashlib
import json
import os
import signal
from pathlib import Path

import pytest

from penstock.runner.digests import parts_of
from penstock.runner.store import blob_in, tree_manifest


@pytest.fixture
def store(lab, tmp_path):
    """The store of a site, where a stage works on copies."""
    lab.spec["store"] = str(tmp_path / "store")
    lab.stage("fit", copy_inputs=True)
    return tmp_path / "store"


def put(store: Path, data: bytes, mode: int = 0o444) -> str:
    """Put a file into the store; return its digest."""
    digest = hashlib.sha256(data).hexdigest()
    path = Path(blob_in(str(store), digest))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return digest


def put_tree(store: Path, folder: Path) -> dict[str, str]:
    """Put a folder into the store; return how a task names it."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            put(store, path.read_bytes())
    return {"tree": put(store, tree_manifest(parts_of(str(folder))))}


def fit(lab, text, stored, *inputs, **more):
    """A task that runs a shell text with the copies of its inputs as arguments."""
    refs = [{"ref": f"input.{name}"} for name in (*stored, *inputs)]
    env = {"P": {"ref": "product"}} if "products" in more else {}
    argv = ["sh", "-c", text, "sh", *refs]
    return lab.command(1, *argv, stage="fit", stored=stored, **{"env": env, **more})


def test_a_program_may_change_its_copy_and_works_where_it_would_without(lab, store):
    digest = put(store, b"sound")
    task = fit(lab, 'pwd; echo more >> "$1"; cp "$1" "$P"; echo "$1"', {"raw/a.wav": digest})
    end = lab.end({**task, "env": {"P": {"ref": "product"}}, "products": lab.product("out/a")})
    assert end["o"] == "ok", end
    folder, place = lab.log(end).splitlines()
    assert (folder, place.partition("/.inputs/")[2]) == (str(lab.root), "1/a.wav")
    assert (lab.root / "out/a").read_bytes() == b"soundmore\n"
    assert Path(blob_in(str(store), digest)).read_bytes() == b"sound"
    assert lab.leftovers() == []


@pytest.mark.parametrize("mode", [0o444, 0o555])
def test_a_copy_may_be_written_and_run_if_what_was_sent_could_be(lab, store, mode):
    end = lab.end(fit(lab, 'stat -c %a "$1"', {"bin/fit": put(store, b"", mode)}))
    assert lab.log(end) == ("711\n" if mode & 0o100 else "600\n")


def test_a_folder_is_made_of_what_its_manifest_names(lab, store, tmp_path):
    (tmp_path / "set/deep").mkdir(parents=True)
    (tmp_path / "set/deep/run").write_text("#!/bin/sh\necho ran")
    (tmp_path / "set/deep/run").chmod(0o755)
    (tmp_path / "set/x").write_text("deep")
    (tmp_path / "set/to").symlink_to("deep/run")
    text = 'cd "$1"; ls; ./to; stat -c %a x deep/run; readlink to'
    end = lab.end(fit(lab, text, {"raw/set": put_tree(store, tmp_path / "set")}))
    assert lab.log(end).split() == ["deep", "to", "x", "ran", "600", "711", "deep/run"]
    assert lab.leftovers() == []


def test_what_was_made_at_the_site_is_copied_from_the_campaigns_folder(lab, store):
    (lab.root / "up").mkdir()
    (lab.root / "up/a").write_text("made here")
    end = lab.end(fit(lab, 'cat "$@"; echo >> "$2"', {"raw/a": put(store, b"sent ")}, "up/a"))
    assert lab.log(end) == "sent made here"
    assert (lab.root / "up/a").read_text() == "made here"


def gone_tasks(lab, store, tmp_path):
    """Three tasks, each of which misses something: a file, a file of a folder, a product that was made there."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set/x").write_text("only in the set")
    tree = put_tree(store, tmp_path / "set")
    os.unlink(blob_in(str(store), put(store, b"only in the set")))
    missing = hashlib.sha256(b"never sent").hexdigest()
    return [
        {**fit(lab, "true", {"raw/a": missing}), "u": 1},
        {**fit(lab, "true", {"raw/set": tree}), "u": 2},
        {**fit(lab, "true", {}, "up/none"), "u": 3},
    ]


def test_an_attempt_whose_input_is_gone_did_not_start_and_others_go_on(lab, store, tmp_path):
    tasks = gone_tasks(lab, store, tmp_path)
    lab.run([*tasks, {**fit(lab, "true", {"raw/b": put(store, b"b")}), "u": 4}])
    assert {unit: end["o"] for unit, end in lab.ends().items()} == {
        1: "unstarted", 2: "unstarted", 3: "unstarted", 4: "ok",
    }  # fmt: skip
    assert [lab.ends()[unit]["why"] for unit in (1, 2, 3)] == [
        f"the input {name} is no longer there at this site" for name in ("raw/a", "raw/set", "up/none")
    ]
    assert lab.of_kind("halt") == []
    assert lab.leftovers() == []


@pytest.mark.parametrize("size", [3, 2 << 20], ids=["light", "heavy"])
def test_what_was_damaged_in_the_store_is_removed_and_not_used(lab, store, size):
    digest = put(store, bytes(size))
    path = Path(blob_in(str(store), digest))
    path.chmod(0o600)
    path.write_bytes(b"1" * size)
    end = lab.end(fit(lab, 'cat "$1"', {"raw/a": digest}))
    assert (end["o"], end["why"]) == ("unstarted", "the input raw/a was damaged at this site")
    assert not path.exists()


@pytest.mark.parametrize("name", ["../x", "/tmp/penstock-never", "a/../../x"])
def test_no_manifest_leads_out_of_its_folder(lab, store, name):
    rows = [[name, put(store, b"x"), 0o644, ""]]
    end = lab.end(fit(lab, "true", {"raw/set": {"tree": put(store, json.dumps(rows).encode())}}))
    assert end["o"] == "error"
    assert "leads out" in end["why"]


def test_nothing_is_written_through_a_link_of_a_manifest(lab, store, tmp_path):
    (tmp_path / "precious").mkdir()
    digest = put(store, b"x")
    rows = [["in", digest, 0o777, str(tmp_path / "precious")], ["in/x", digest, 0o644, ""]]
    end = lab.end(fit(lab, "true", {"raw/set": {"tree": put(store, json.dumps(rows).encode())}}))
    assert end["o"] == "error"
    assert os.listdir(tmp_path / "precious") == []


FUNCTION = """
import os
def run(task):
    paths = [task.fields["path"], *task.fields["paths"], *task.inputs["up"], *task.inputs["far"]]
    found = [[str(path), open(path).read()] for path in paths]
    assert task.scratch is None and os.getcwd() == {root!r}
    assert not {fails}
    return found
"""


def function_task(lab, store, tmp_path, fails=False):
    """A task of a function with inputs of all kinds: sent, made at the site, listed in a file, and shared."""
    lab.function(FUNCTION.format(root=str(lab.root), fails=fails), copy_inputs=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/shared").write_text("shared")
    (lab.root / "up").mkdir()
    (lab.root / "up/b").write_text("made")
    (lab.job / "inputs-1.txt").write_text("up/a\nup/b\n")
    shared = str(tmp_path / "data/shared")
    fields = {"path": "raw/a", "paths": ["raw/a", shared]}
    stored = {"raw/a": put(store, b"raw"), "up/a": put(store, b"fetched")}
    inputs = {"up": {"list": "inputs-1.txt", "count": 2}, "far": [shared]}
    return lab.python(1, fields=fields, inputs=inputs, stored=stored, shared=[shared])


def test_a_function_gets_copies_of_all_but_what_is_shared(lab, store, tmp_path):
    end = lab.end(function_task(lab, store, tmp_path))
    assert end["o"] == "ok", lab.log(end)
    shared = str(tmp_path / "data/shared")
    places = [(path.partition("/.inputs/")[2] or path, text) for path, text in end["result"]]
    assert places == [
        ("1/a", "raw"), ("1/a", "raw"), (shared, "shared"), ("2/a", "fetched"), ("1/b", "made"), (shared, "shared"),
    ]  # fmt: skip
    assert lab.leftovers() == []


def test_copies_of_a_failed_attempt_are_not_kept(lab, store, tmp_path):
    end = lab.end(function_task(lab, store, tmp_path, fails=True))
    assert end["o"] == "error"
    assert "kept" not in end["why"]
    assert lab.leftovers() == []


def test_copies_that_a_killed_runner_left_go_with_the_next_life(lab, store):
    digest = put(store, b"x")
    lab.batch(
        [fit(lab, f"[ -e {lab.root}/again ] || {{ touch {lab.root}/again; sleep 60; }}", {"raw/a": digest})]
    )
    process = lab.start("--native", "77")
    lab.wait_for((lab.root / "again").exists)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert [path.name for path in lab.leftovers() if path.is_file()] == ["a"]
    lab.close()
    lab.start("--native", "77").wait(20)
    assert lab.ends(2)[1]["o"] == "ok"
    assert lab.leftovers() == []

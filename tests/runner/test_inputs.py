"""Inputs that are copied into scratch: the task reads the copies, and what cannot be copied is told."""

import os

import pytest

from penstock.runner.errors import Unfit
from penstock.runner.inputs import Copies
from penstock.runner.spec import Job, Spec


@pytest.fixture
def node(lab, tmp_path):
    folder = tmp_path / "node"
    folder.mkdir()
    lab.stage("fit", scratch=True, scratch_at=str(folder), copy_inputs=True)
    return folder


def write(lab, name, text):
    path = lab.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def reads(lab, unit, *inputs, **more):
    """A task whose command prints each input's path and text, and those that $LIST lists."""
    text = 'for f; do echo "$f"; cat "$f"; done; [ -z "$LIST" ] || cat $LIST $(cat $LIST)'
    refs = [{"ref": f"input.{name}"} for name in inputs]
    return lab.command(unit, "sh", "-c", text, "sh", *refs, stage="fit", **more)


def places(lab, end, node):
    """Return the paths that a task printed, from where its scratch folder is on."""
    lines = [line for line in lab.log(end).splitlines() if line.startswith("/")]
    assert all(line.startswith(f"{node}/") for line in lines)
    return [line.partition("/.inputs/")[2] for line in lines]


def test_a_command_reads_copies_on_the_node(lab, node):
    write(lab, "audio/a.wav", "sound\n")
    end = lab.end(reads(lab, 1, "audio/a.wav"))
    assert end["o"] == "ok"
    assert places(lab, end, node) == ["1/a.wav"]
    assert lab.log(end).splitlines()[1] == "sound"
    assert (os.listdir(node), lab.leftovers()) == ([], [])


def test_equal_names_stay_apart_and_the_same_input_is_copied_once(lab, node):
    write(lab, "a/x", "one\n")
    write(lab, "b/x", "two\n")
    end = lab.end(reads(lab, 1, "a/x", "b/x", "a/x", str(lab.root / "b/x")))
    assert places(lab, end, node) == ["1/x", "2/x", "1/x", "2/x"]
    assert [line for line in lab.log(end).splitlines() if line[0] != "/"] == ["one", "two", "one", "two"]


@pytest.mark.parametrize("is_long", [False, True], ids=["short", "long"])
def test_a_file_that_lists_inputs_lists_the_copies(lab, node, is_long):
    names = [f"p/{n}" for n in range(3)]
    for name in names:
        write(lab, name, f"text of {name}\n")
    given = names
    if is_long:
        (lab.job / "inputs-1.txt").write_text("".join(f"{name}\n" for name in names))
        given = {"list": "inputs-1.txt", "count": 3}
    end = lab.end(reads(lab, 1, inputs={"up": given}, env={"LIST": {"ref": "inputs_file.up"}}))
    assert places(lab, end, node) == ["1/0", "1/1", "1/2"]
    assert lab.log(end).count("text of p/") == 3


def test_a_function_gets_copies_of_its_file_and_of_what_came_before(lab, tmp_path):
    lab.function(
        "def run(task):\n"
        "    paths = [task.fields['path'], *task.fields['paths'], *task.inputs['up'], task.input('up.plot')]\n"
        "    return [[str(path), open(path).read()] for path in paths]\n",
        scratch=True,
        scratch_at=str(tmp_path),
        copy_inputs=True,
    )
    for name in ("raw/a", "raw/b", "up/a", "up/b"):
        write(lab, name, name)
    fields = {"path": "raw/a", "paths": ["raw/a", "raw/b"], "name": "a"}
    inputs = {"up": ["up/a", "up/b"], "up.plot": ["up/b"]}
    end = lab.end(lab.python(1, fields=fields, inputs=inputs))
    read = [(path.partition("/.inputs/")[2], text) for path, text in end["result"]]
    assert read == [
        ("1/a", "raw/a"), ("1/a", "raw/a"), ("1/b", "raw/b"), ("2/a", "up/a"), ("2/b", "up/b"), ("2/b", "up/b"),
    ]  # fmt: skip


def test_companions_are_found_from_the_copy_as_from_the_file(lab, tmp_path):
    lab.function(
        "def run(task):\n"
        "    path = task.fields['path']\n"
        "    there = [path.replace('.dat', '.hdr'), path.replace('raw/', ''), path + '/../../index/a.idx']\n"
        "    return [open(name).read() for name in (there[0], __import__('os').path.normpath(there[2]))]\n",
        scratch=True,
        scratch_at=str(tmp_path),
        copy_inputs=True,
    )
    for name in ("raw/a.dat", "raw/a.hdr", "index/a.idx", "beyond"):
        write(lab, name, name)
    beside = {"raw/a.dat": ["raw/a.hdr", "index/a.idx", "../beyond"]}
    end = lab.end(lab.python(1, fields={"path": "raw/a.dat"}, inputs={}, beside=beside))
    assert end["result"] == ["raw/a.hdr", "index/a.idx"]


def test_a_template_names_the_copy(lab, node):
    write(lab, "raw/a", "x")
    write(lab, "in.tmpl", "file = {path}\n")
    lab.stages["fit"]["templates"] = {"fit.inp": "in.tmpl"}
    end = lab.end(lab.shell(1, "cat fit.inp", stage="fit", fields={"path": "raw/a"}))
    assert lab.log(end).startswith(f"file = {node}/")
    assert lab.log(end).endswith("/.inputs/1/a\n")


def test_a_folder_is_copied_whole_and_a_link_to_an_input_is_followed(lab, node):
    write(lab, "store/deep/x", "deep\n").chmod(0o440)
    (lab.root / "store/empty").mkdir()
    (lab.root / "store/to").symlink_to("deep/x")
    (lab.root / "link").symlink_to("store")
    text = 'cd "$0"; ls; cat to; stat -c %a deep/x; test -d empty && readlink to'
    end = lab.end(lab.command(1, "sh", "-c", text, {"ref": "input.link"}, stage="fit"))
    assert lab.log(end).split() == ["deep", "empty", "to", "deep", "440", "deep/x"]
    assert os.listdir(node) == []


def test_a_copy_has_the_time_of_its_original(lab, node):
    os.utime(write(lab, "x", ""), (1e9, 1e9))
    end = lab.end(lab.command(1, "stat", "-c", "%Y", {"ref": "input.x"}, stage="fit"))
    assert lab.log(end) == "1000000000\n"


def test_an_input_that_does_not_exist_is_the_failure_of_its_task(lab, node):
    write(lab, "x", "")
    lab.run([reads(lab, 1, "x", "none/y"), reads(lab, 2, "x")])
    assert {unit: end["o"] for unit, end in lab.ends().items()} == {1: "error", 2: "ok"}
    assert "the input" in lab.ends()[1]["why"]
    assert "none/y" in lab.ends()[1]["why"]
    assert "No such file" in lab.ends()[1]["why"]
    assert os.listdir(node) == []


@pytest.mark.parametrize("inside", [False, True], ids=["itself", "in a folder"])
def test_a_pipe_is_refused_and_not_waited_for(lab, node, inside):
    write(lab, "box/x", "")
    os.mkfifo(lab.root / "box/pipe")
    end = lab.end(reads(lab, 1, "box" if inside else "box/pipe"))
    assert end["o"] == "error"
    assert "box/pipe is a named pipe" in end["why"]


def test_a_copy_that_finds_no_room_is_the_nodes_failure(lab, mount, tmp_path):
    node = mount(tmp_path / "small", "size=3m")
    lab.stage("fit", scratch=True, scratch_at=str(node), copy_inputs=True)
    (lab.root / "big").write_bytes(bytes(5_000_000))
    lab.run([reads(lab, 1, "big"), reads(lab, 2, "big")])
    (end,) = lab.of_kind("end")
    assert end["o"] == "node_failure"
    assert "no space is left" in end["why"]
    assert [event["tasks"] for event in lab.of_kind("give")] == [[[lab.stages["fit"]["id"], 2]]]
    assert os.listdir(node) == []


def hole(lab, name):
    """A file that takes long to copy and has no blocks on the disk."""
    with write(lab, name, "").open("wb") as file:
        file.truncate(8 << 30)


def test_a_limit_holds_while_inputs_are_copied(lab, node):
    hole(lab, "huge")
    lab.stages["fit"]["limit_s"] = 0.05
    end = lab.end(reads(lab, 1, "huge"))
    assert (end["o"], "longer than its limit" in end["why"]) == ("timeout", True)
    assert lab.log(end) == ""
    assert os.listdir(node) == []


def test_other_tasks_run_while_inputs_are_copied(lab, node):
    hole(lab, "huge")
    lab.batch([reads(lab, 1, "huge"), lab.shell(2, "true")], workers=2)
    lab.start()
    lab.wait_for(lambda: 2 in lab.ends())
    lab.kill_all()
    assert 1 not in lab.ends()
    (part,) = node.rglob("huge")
    part.unlink()


@pytest.mark.parametrize("name", ["..", "a/..", "a/.", "/"])
def test_a_copy_never_leaves_its_folder(name):
    spec = Spec("p", "/root", 1, True, [0], None, 1, 1, 1, {}, {}, {})
    with pytest.raises(Unfit, match="has no name"):
        Copies(Job("/job", spec, 1, 1), "/scratch", {}).of(name)

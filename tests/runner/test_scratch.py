"""Scratch on a disk of the node: products are written there and copied out, nothing stays."""

import hashlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from penstock.runner.locks import hold_folder, take_abandoned
from penstock.runner.scratch import NODE


def at_node(lab, tmp_path, text="$TMPDIR", **more):
    node = tmp_path / "node"
    node.mkdir(exist_ok=True)
    lab.stage("netmc", scratch=True, scratch_at=text, **more)
    return node


def two(lab):
    path = {"optional": False, "from": None, "folder": False}
    return {"a": {"path": "a/x", **path}, "b": {"path": "b/x", **path}}


def test_products_are_written_on_the_node_and_published_where_they_go(lab, tmp_path):
    node = at_node(lab, tmp_path)
    env = {"A": {"ref": "product.a"}, "B": {"ref": "product.b"}}
    task = lab.command(1, "sh", "-c", 'pwd; echo "$A"; echo 1 > "$A"; echo 2 > "$B"', stage="netmc", env=env)
    end = lab.end({**task, "products": two(lab)}, env={"TMPDIR": str(node)})
    assert end["o"] == "ok"
    assert ((lab.root / "a/x").read_text(), (lab.root / "b/x").read_text()) == ("1\n", "2\n")
    assert all(line.startswith(f"{node}/") for line in lab.log(end).splitlines())
    assert os.listdir(node) == []
    assert lab.leftovers() == []


def test_a_function_works_on_the_node_too(lab, tmp_path):
    node = at_node(lab, tmp_path)
    lab.function(
        "import os\n\ndef run(task):\n    task.product().write_text('x')\n    return [os.getcwd(), str(task.product())]\n",
        scratch=True,
        scratch_at=f"{node}",
    )
    end = lab.end(lab.python(1, products=lab.product("out/x")))
    assert all(path.startswith(f"{node}/") for path in end["result"])
    assert (lab.root / "out/x").read_text() == "x"
    assert os.listdir(node) == []


def test_of_a_failure_nothing_stays_on_the_node(lab, tmp_path):
    node = at_node(lab, tmp_path)
    end = lab.end(lab.shell(1, "echo > left; exit 3", stage="netmc"), env={"TMPDIR": str(node)})
    assert end["o"] == "error"
    assert "kept" not in end["why"]
    assert os.listdir(node) == []


def test_a_node_without_the_folder_halts_with_a_sentence(lab, tmp_path):
    at_node(lab, tmp_path, "$NONE/scratch")
    lab.run([lab.shell(1, "true", stage="netmc")])
    (halt,) = lab.of_kind("halt")
    assert "stage netmc works in $NONE/scratch, and there is no such folder on this node" in halt["why"]
    assert lab.of_kind("end") == []


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def working(lab, node):
    """Start a runner whose task sits in its scratch folder until it is told to go; return both."""
    lab.stage("netmc", scratch=True, scratch_at=str(node))
    wait = f"until [ -e {lab.root}/go ] || [ ! -d {lab.root} ]; do sleep 0.02; done"
    lab.batch([lab.shell(1, f"echo x > x; {wait}", stage="netmc")])
    process = lab.start()
    (file,) = lab.wait_for(lambda: [*node.rglob(f"{lab.token}*/x")])
    return process, file.parent


def test_the_next_runner_on_a_node_removes_what_a_killed_one_left_and_no_living_ones(new_lab, tmp_path):
    dead, living, last = new_lab(), new_lab(), new_lab()
    killed, left = working(dead, tmp_path)
    lives, held = working(living, tmp_path)
    kill(killed)
    last.stage("netmc", scratch=True, scratch_at=str(tmp_path))
    assert last.end(last.shell(1, "true", stage="netmc"))["o"] == "ok"
    assert (left.exists(), held.exists()) == (False, True)
    for lab in (dead, living):
        (lab.root / "go").touch()
    living.close()
    lives.wait(10)
    assert living.ends()[1]["o"] == "ok"
    assert os.listdir(tmp_path) == []


def test_other_nodes_and_other_peoples_folders_are_left_alone(lab, tmp_path):
    lab.stage("netmc", scratch=True, scratch_at=str(tmp_path))
    others = tmp_path / f".penstock-{os.geteuid()}" / "another-node" / "p.1.1.1.1"
    others.mkdir(parents=True)
    lab.end(lab.shell(1, "true", stage="netmc"))
    assert others.exists()


def test_a_link_in_place_of_our_folder_leads_nowhere(lab, tmp_path):
    elsewhere, node = tmp_path / "elsewhere", tmp_path / "node"
    node.mkdir()
    lab.stage("netmc", scratch=True, scratch_at=str(node))
    (elsewhere / "data").mkdir(parents=True)
    (node / f".penstock-{os.geteuid()}").symlink_to(tmp_path)
    elsewhere.rename(tmp_path / NODE)
    lab.run([lab.shell(1, "true", stage="netmc")])
    assert "is in a folder of somebody else" in lab.of_kind("halt")[0]["why"]
    assert (tmp_path / NODE / "data").exists()


def test_a_folder_is_held_until_it_is_let_go(tmp_path):
    path = str(tmp_path / "deep/a")
    hold = hold_folder(path)
    assert [*take_abandoned(str(tmp_path / "deep"))] == []
    os.close(hold)
    assert [*take_abandoned(str(tmp_path / "deep"))] == [path]
    assert [*take_abandoned(str(tmp_path / "none"))] == []


def test_a_folder_that_somebody_removes_before_it_is_locked_is_made_again(tmp_path):
    path = tmp_path / "a"
    path.mkdir()
    taken = take_abandoned(str(tmp_path))
    assert next(taken) == str(path)  # held there, as by a runner that is about to remove it
    with ThreadPoolExecutor() as pool:
        holding = pool.submit(hold_folder, str(path))
        time.sleep(0.05)
        path.rmdir()
        taken.close()
        hold = holding.result(10)
    assert os.path.samestat(os.fstat(hold), path.stat())
    os.close(hold)


def test_a_full_scratch_disk_is_the_nodes_failure(lab, mount, tmp_path):
    node = mount(tmp_path / "small", "size=3m")
    lab.stage("netmc", scratch=True, scratch_at=str(node))
    fill = 'head -c 5000000 /dev/zero > "$P"'
    lab.run([lab.shell(1, fill, stage="netmc", products=lab.product("out/x")), lab.shell(2, "true")])
    assert lab.ends()[1]["o"] == "node_failure"
    assert f"the disk of {node}" in lab.ends()[1]["why"]
    assert 2 not in lab.ends()
    assert (os.listdir(node), lab.leftovers()) == ([], [])


SIZE = 30_000_000


@pytest.fixture
def memory(mount, tmp_path):
    """A file system of another device than the campaign's."""
    return mount(tmp_path / "memory", "size=200m")


def writes(lab, node, is_folder):
    """A task that writes a large product, a file or a folder, on the node."""
    lab.stage("netmc", scratch=True, scratch_at=str(node))
    text = f'head -c {SIZE} /dev/urandom > "$P"'
    if is_folder:
        text = f'mkdir "$P" "$P/deep"; head -c {SIZE} /dev/urandom > "$P/deep/x"; ln -s deep/x "$P/to"'
    return lab.shell(1, f'{text}; cd "$P" 2> /dev/null; sha256sum "${{F:-$P}}"', stage="netmc")


@pytest.mark.parametrize("is_folder", [False, True], ids=["file", "folder"])
def test_a_product_from_another_file_system_appears_under_its_name_when_it_is_whole(lab, memory, is_folder):
    task = writes(lab, memory, is_folder)
    env = {"P": {"ref": "product"}, **({"F": "deep/x"} if is_folder else {})}
    lab.batch([{**task, "env": env, "products": lab.product("out/x", folder=is_folder)}])
    lab.close()
    process = lab.start()
    file = lab.root / ("out/x/deep/x" if is_folder else "out/x")
    seen = set()
    while process.poll() is None:
        seen.add(file.stat().st_size if file.exists() else None)
    assert seen <= {None, SIZE}
    (end,) = lab.of_kind("end")
    assert end["o"] == "ok", end
    assert lab.log(end).split()[0] == sha256(file)
    assert os.stat(file).st_dev != os.stat(memory).st_dev
    assert (os.listdir(memory), lab.leftovers()) == ([], [])
    if is_folder:
        assert os.readlink(lab.root / "out/x/to") == "deep/x"


@pytest.mark.parametrize("is_folder", [False, True], ids=["file", "folder"])
def test_a_product_that_finds_no_room_where_it_goes_has_no_name_there(lab, mount, memory, is_folder):
    disk = mount(lab.root / "out", "size=20m")
    task = writes(lab, memory, is_folder)
    env = {"P": {"ref": "product"}, **({"F": "deep/x"} if is_folder else {})}
    lab.run([{**task, "env": env, "products": lab.product("out/x", folder=is_folder)}])
    (end,) = lab.of_kind("end")
    assert end["o"] == "node_failure"
    assert (os.listdir(memory), os.listdir(disk)) == ([], [])


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

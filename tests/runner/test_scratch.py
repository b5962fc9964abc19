"""Scratch on a disk of the node: products are written there and copied out, nothing stays."""

import os


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

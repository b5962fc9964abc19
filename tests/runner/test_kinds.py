"""Files that are no files: what a task leaves under a product's name is looked at before it is opened."""

import os
import socket

import pytest

from penstock.runner.digests import digest_folder, sync_tree
from penstock.runner.files import remove
from penstock.runner.kinds import Odd, open_file

IN_A_FOLDER = 'mkdir "$P"; echo 1 > "$P/x"; '


@pytest.mark.parametrize(
    ("make", "is_what"),
    [
        ('mkfifo "$P"', "a named pipe, not a file"),
        ('mkdir "$P"', "a folder, not a file"),
        ('ln -s /dev/null "$P"', "a link to /dev/null, a device, not a file"),
        ('mkfifo p; ln -s "$PWD/p" "$P"', "a link to {root}/p, a named pipe, not a file"),
        ('ln -s . "$P"', "a link to {root}/out/.penstock/{token}.1.1.1, a folder, not a file"),
        ('ln -s nowhere "$P"', "a link to nothing: nowhere"),
        ('ln -s x "$P"', "a link to nothing: x"),
    ],
)
def test_a_product_that_is_no_file_is_called_what_it_is(lab, make, is_what):
    end = lab.end(lab.shell(1, make, products=lab.product("out/x")))
    assert end["o"] == "missing_product"
    assert end["why"] == "product out/x is " + is_what.format(root=lab.root, token=lab.token)
    assert lab.leftovers() == []


@pytest.mark.parametrize(
    ("make", "holds"),
    [
        ('mkdir "$P/in"; mkfifo "$P/in/p"', "in/p, a named pipe: leave only files, folders and links in it"),
        (
            'ln -s ../y "$P/l"; echo > "$P/../y"',
            "l, a link that is broken once the folder has its name (../y)",
        ),
        ('ln -s "$P/x" "$P/l"', "l, a link that is broken once the folder has its name ({product}/x)"),
    ],
)
def test_a_folder_product_that_cannot_be_kept_as_it_is_is_refused(lab, make, holds):
    end = lab.end(lab.shell(1, IN_A_FOLDER + make, products=lab.product("set", folder=True)))
    assert end["o"] == "missing_product"
    product = f"{lab.root}/.penstock/{lab.token}.1.1.1/set"
    assert end["why"] == "product set holds " + holds.format(product=product)
    assert not (lab.root / "set").exists()


def test_a_socket_in_a_function_s_folder_is_refused_too(lab):
    source = "import os, socket\ndef run(task):\n    os.mkdir(str(task.product())); os.chdir(str(task.product()))\n"
    lab.function(source + "    socket.socket(socket.AF_UNIX).bind('s')")
    end = lab.end(lab.python(1, products=lab.product("set", folder=True)))
    assert (end["o"], "holds s, a socket" in end["why"]) == ("missing_product", True)


def test_links_that_stay_what_they_are_may_be_in_a_folder_product(lab):
    make = 'ln -s x "$P/near"; ln -s /etc/passwd "$P/far"; ln -s ../raw/1 "$P/meant"; ln -s x/y/z "$P/none"'
    end = lab.end(lab.shell(1, IN_A_FOLDER + make, products=lab.product("set", folder=True)))
    assert end["o"] == "ok", end["why"]
    assert os.readlink(lab.root / "set/far") == "/etc/passwd"


def test_a_link_to_a_folder_with_a_pipe_in_it_is_not_copied(lab):
    (lab.root / "elsewhere").mkdir()
    os.mkfifo(lab.root / "elsewhere/p")
    end = lab.end(lab.shell(1, 'ln -s "$PWD/elsewhere" "$P"', products=lab.product("set", folder=True)))
    assert end["why"].startswith("product set holds p, a named pipe")


@pytest.mark.parametrize(
    "make", ['mkdir x; : > "$P"', 'mkfifo result; : > "$P"', 'ln -s /dev/zero y; : > "$P"']
)
def test_whatever_lies_in_scratch_is_removed_with_it(lab, make):
    lab.stage("scratch", scratch=True)
    assert lab.end(lab.shell(1, make, stage="scratch", products=lab.product("out/x")))["o"] == "ok"
    assert lab.leftovers() == []


def test_a_product_in_scratch_that_is_a_pipe_is_refused(lab):
    lab.stage("scratch", scratch=True)
    end = lab.end(lab.shell(1, "mkfifo x", stage="scratch", products=lab.product("out/x")))
    assert (end["o"], "is a named pipe" in end["why"]) == ("missing_product", True)


def test_a_template_that_is_a_pipe_is_not_waited_for(lab):
    os.mkfifo(lab.root / "t.inp")
    lab.stage("netmc", scratch=True, templates={"in": "t.inp"})
    why = lab.end(lab.command(1, "true", stage="netmc"))["why"]
    assert why.startswith("the template t.inp is a named pipe, not a file")


def test_a_pipe_where_the_folder_of_an_input_was_is_not_waited_for(lab):
    os.mkfifo(lab.root / "raw")
    assert lab.end(lab.command(1, "true", inputs={"a": ["raw/x"]}))["o"] == "ok"


def test_what_a_private_folder_was_replaced_by_is_neither_taken_nor_emptied(lab):
    (lab.root / "raw").mkdir()
    (lab.root / "raw/x").write_text("precious")
    swap = 'd=$(dirname "$P"); rmdir "$d"; ln -s "$PWD/raw" "$d"'
    tasks = [
        lab.shell(1, swap, products=lab.product("out/x")),
        lab.shell(2, ': > "$P"', products=lab.product("out/y")),
    ]
    lab.run(tasks)
    assert [lab.ends()[unit]["o"] for unit in (1, 2)] == ["missing_product", "ok"]
    assert (lab.root / "raw/x").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may remove everything")
def test_removing_changes_no_mode_behind_a_link(tmp_path):
    (tmp_path / "raw").mkdir(mode=0o755)
    (tmp_path / "gone/deep").mkdir(parents=True)
    (tmp_path / "gone/link").symlink_to(tmp_path / "raw")
    (tmp_path / "gone/deep/file").touch()
    (tmp_path / "gone/deep").chmod(0)
    remove(str(tmp_path / "gone"))
    assert not (tmp_path / "gone").exists()
    assert (tmp_path / "raw").stat().st_mode & 0o777 == 0o755


def test_a_pipe_that_comes_between_a_look_and_the_opening_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "p")
    with pytest.raises(Odd, match="is a named pipe, not a file"):
        open_file(str(tmp_path / "p"))
    (tmp_path / "link").symlink_to("p")
    with pytest.raises(OSError, match="link"):
        open_file(str(tmp_path / "link"))


def test_syncing_a_folder_passes_over_what_is_no_file(tmp_path):
    (tmp_path / "set").mkdir()
    os.mkfifo(tmp_path / "set/p")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "set/s"))
    sync_tree(str(tmp_path / "set"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_not_digested_without_it(tmp_path):
    (tmp_path / "set/closed").mkdir(parents=True)
    (tmp_path / "set/closed").chmod(0)
    with pytest.raises(PermissionError):
        digest_folder(str(tmp_path / "set"))
    (tmp_path / "set/closed").chmod(0o700)

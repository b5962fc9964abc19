"""What the pages show is what a reader gets."""

import re
from pathlib import Path

import pytest
from blocks import Command, File, Printed, faults, read_blocks, run_blocks, told_otherwise

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs/tutorial.md", *sorted((ROOT / "docs/howto").glob("*.md"))]
EVERYWHERE = [*PAGES, *sorted((ROOT / "docs/migrate").glob("*.md"))]  # these blocks run in test_migrate.py


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_does_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    try:
        told = told_otherwise(page, list(read_blocks(page.read_text("utf-8"))), tmp_path)
    finally:
        end_conductor(tmp_path)
    assert not told, told


def end_conductor(folder: Path) -> None:
    """Leave nothing running that a page has put into the background."""
    for ledger in folder.glob("**/.penstock/ledger.sqlite"):
        run_blocks([Command(0, "penstock down", ())], ledger.parents[1])


@pytest.mark.parametrize("page", EVERYWHERE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_a_page_names_is_there(page: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make (\w+)", page.read_text("utf-8"), re.MULTILINE))
    assert named <= targets


def test_a_block_with_a_name_is_a_file_and_console_blocks_are_commands() -> None:
    page = "```toml\n# a.toml\nx = 1\n```\n\n```console\n$ cat a.toml\n# a.toml\n…\n$ false  # ends with 1\n```\n"
    assert list(read_blocks(page)) == [
        File("a.toml", "# a.toml\nx = 1\n", added=False),
        Command(7, "cat a.toml", ("# a.toml", "…")),
        Command(10, "false  # ends with 1", ()),
    ]


def test_the_name_of_a_script_stands_below_the_line_that_says_what_runs_it() -> None:
    script = "#!/bin/sh\n# deep/a.sbatch\nexit\n"
    assert list(read_blocks(f"```sh\n{script}```\n```sh\nexit\n# a.sh\n```\n")) == [
        File("deep/a.sbatch", script, added=False)
    ]


def test_a_block_in_a_list_is_one_too() -> None:
    page = "- Told:\n\n  ```python\n  # a.py\n  if x:\n      y\n  ```\n\n  ```console\n  $ cat a.py\n  …\n  ```\n"
    assert list(read_blocks(page)) == [
        File("a.py", "# a.py\nif x:\n    y\n", added=False),
        Command(10, "cat a.py", ("…",)),
    ]


def test_all_blocks_run_in_one_shell_up_to_the_first_that_ends_otherwise(tmp_path: Path) -> None:
    blocks = [
        File("deep/x.txt", "# deep/x.txt\n", added=False),
        Command(1, "cd deep && y=2", ()),
        Command(2, "echo $y $(cat x.txt)", ()),
        Command(3, "(exit 3)  # ends with 3", ()),
        Command(4, "(exit 4)", ()),
        Command(5, "echo misleading", ()),
    ]
    done = run_blocks(blocks, tmp_path)
    assert done == [Printed(0, ()), Printed(0, ("2 # deep/x.txt",)), Printed(3, ()), Printed(4, ())]


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["done  5"], ["done     5"]),
        (["06:18:27 all 1/1 done"], ["nothing", "12:00:00 all 1/1 done"]),
        (["ok after … s on …, 06:18:27"], ["ok after 0.1 s on vm, 01:02:03"]),
        (["a", "…", "c"], ["a", "b", "c"]),
    ],
)
def test_what_may_differ_is_not_compared(shown: list[str], printed: list[str]) -> None:
    assert faults(Command(1, "x", tuple(shown)), Printed(0, tuple(printed))) == []


@pytest.mark.parametrize(
    ("shown", "printed", "code"),
    [
        (["done 5"], ["done 6"], 0),
        (["b", "a"], ["a", "b"], 0),
        (["all done"], [], 0),
        (["x"], ["x and more"], 0),
        ([], [], 1),
    ],
)
def test_what_must_not_differ_is_a_fault(shown: list[str], printed: list[str], code: int) -> None:
    assert len(faults(Command(1, "x", tuple(shown)), Printed(code, tuple(printed)))) == 1

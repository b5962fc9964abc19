"""What is installed, and what a reader sees who has the package alone."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PINNED = re.compile(
    r"^([a-z0-9-]+)==\S+(?: ; [^\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})*)\n", re.MULTILINE
)


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=;~! ]", requirement)[0].lower().replace("_", "-")


def test_the_readme_has_no_link_that_a_package_index_would_break() -> None:
    assert re.findall(r"(?<!!)(?:\[[^]]*\])\((?!https://)[^)]*\)", README) == []


def test_the_pictures_of_the_readme_and_the_gallery_are_there_and_small() -> None:
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert len(shown) == 2
    gallery = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (ROOT / "docs/gallery.md").read_text("utf-8"))
    sizes = {name: (ROOT / name).stat().st_size for name in [*shown, *(f"docs/{name}" for name in gallery)]}
    assert {name: size for name, size in sizes.items() if size > 160_000} == {}
    drawn = {f"docs/pictures/{name}" for name in made()}
    assert {*sizes} == drawn, "`make pictures` draws them all"


def made() -> set[str]:
    """Return the names of the pictures that the tool makes."""
    text = (ROOT / "tools/pictures.py").read_text("utf-8")
    gallery = next(n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.AnnAssign))
    names = {
        f"gallery-{demo}-{name}.png"
        for demo, wanted in ast.literal_eval(gallery.value).items()
        for name in wanted
    }
    return names | {"status.svg", "page.png"}


def test_the_files_that_the_readme_names_are_there() -> None:
    named = re.findall(r"`([\w/.-]+\.(?:md|lock)|LICENSE)`", README)
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_has_every_extra() -> None:
    told = re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)
    assert told == list(PROJECT["optional-dependencies"])


def test_each_locked_package_has_hashes_and_each_dependency_is_locked() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    locked = dict(PINNED.findall(text))
    assert PINNED.sub("", text) == ""
    assert [name for name, hashes in locked.items() if not hashes] == []
    extras = PROJECT["optional-dependencies"].values()
    wanted = {name_of(r) for r in [*PROJECT["dependencies"], *(r for extra in extras for r in extra)]}
    assert wanted - locked.keys() == {"penstock"}

"""Packages that are installed at a site, which is this machine with a folder of its own."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.wheels import make_wheel

from penstock.campaign import Site
from penstock.errors import DefinitionError, LedgerError, SiteError
from penstock.ledger import FOLDER
from penstock.site.cluster import mark_of
from penstock.site.environments import Environment, file_of, held, python_at, read_environment
from penstock.site.inventory import Inventory
from penstock.site.provision import Provision, clear


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all the index there is."""
    for name, value in {
        "NO_INDEX": "1",
        "FIND_LINKS": str(tmp_path / "index"),
        "CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    make_wheel(tmp_path / "index", "tide", requires=["moon"])
    make_wheel(tmp_path / "index", "moon")
    return tmp_path / "index"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site("cluster", "slurm", workdir=tmp_path / "work", requirements=("tide",))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "winter").mkdir()
    return tmp_path / "winter"


def provision(site: Site, root: Path, *, anew: bool = False) -> tuple[Environment, bool, list[str]]:
    told: list[str] = []
    return *Provision(site, root, tell=told.append).run(anew=anew), told


def version_in(made: Environment, module: str) -> str:
    argv = [made.python, "-c", f"import {module}; print({module}.version)"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.usefixtures("index")
def test_what_is_required_is_installed_once(site: Site, root: Path, tmp_path: Path) -> None:
    made, was_there, told = provision(site, root)
    assert not was_there
    assert [line.split()[0] for line in told] == ["choosing", "sending", "installing"]
    assert made.folder == f"{tmp_path}/work/store/env/{made.digest}"
    assert version_in(made, "tide") == version_in(made, "moon") == "1.0"
    assert python_at(root, site) == made.python
    assert str(made).startswith("moon==1.0, tide==1.0 for Python 3.")
    assert provision(site, root) == (made, True, [])
    assert [path.name for path in (tmp_path / "work/store/env").iterdir()] == [made.digest]


@pytest.mark.usefixtures("index")
def test_another_campaign_with_the_same_packages_shares_them(site: Site, root: Path, tmp_path: Path) -> None:
    made, *_ = provision(site, root)
    (tmp_path / "summer").mkdir()
    again, was_there, told = provision(site, tmp_path / "summer")
    assert (again.folder, was_there) == (made.folder, True)
    assert [line.split()[0] for line in told] == ["choosing"]


def test_other_requirements_make_another_and_leave_the_first(site: Site, root: Path, index: Path) -> None:
    first, *_ = provision(site, root)
    make_wheel(index, "sun")
    other = replace(site, requirements=("tide", "sun"))
    second, was_there, _ = provision(other, root)
    assert not was_there
    assert second.folder != first.folder
    assert version_in(second, "sun") == "1.0"
    assert version_in(first, "tide") == "1.0"


def test_versions_stay_until_they_are_to_be_chosen_anew(site: Site, root: Path, index: Path) -> None:
    made, *_ = provision(site, root)
    make_wheel(index, "tide", "2.0", requires=["moon"])
    assert provision(site, root)[:2] == (made, True)
    subprocess.run(["rm", "-r", made.folder], check=True)
    again, was_there, _ = provision(site, root)
    assert (again, was_there) == (made, False), "what was purged comes back as it was"
    upgraded, *_ = provision(site, root, anew=True)
    assert version_in(upgraded, "tide") == "2.0"


def test_another_file_under_the_same_version_is_refused(site: Site, root: Path, index: Path) -> None:
    made, *_ = provision(site, root)
    subprocess.run(["rm", "-r", made.folder], check=True)
    make_wheel(index, "moon", files={"moon.py": "version = 'evil'\n"})
    with pytest.raises(
        DefinitionError, match=r"moon-1.0-py3-none-any.whl is no longer .* --upgrade` chooses anew"
    ):
        provision(site, root)
    assert read_environment(root, site) == made
    assert version_in(provision(site, root, anew=True)[0], "moon") == "evil"


def test_a_changed_file_of_requirements_asks_for_another(site: Site, root: Path, index: Path) -> None:
    listed = replace(site, requirements=("needs.txt",))
    (root / "needs.txt").write_text("moon\n")
    first, *_ = provision(listed, root)
    (root / "needs.txt").write_text("tide\n")
    second, *_ = provision(listed, root)
    assert len(second.wheels) == len(first.wheels) + 1
    make_wheel(root / "own", "mine", requires=["moon"])
    own = replace(site, requirements=("own/mine-1.0-py3-none-any.whl",))
    assert not provision(own, root)[1]
    make_wheel(root / "own", "mine", requires=["tide"])
    third, was_there, _ = provision(own, root)
    assert not was_there
    assert version_in(third, "tide") == "1.0"


@pytest.mark.usefixtures("index")
def test_the_set_up_decides_which_python_it_is(site: Site, root: Path, tmp_path: Path) -> None:
    (tmp_path / "module/bin").mkdir(parents=True)
    seen = tmp_path / "module/bin/python3"
    seen.write_text(
        '#!/bin/sh\necho "$LAB" >> "$(dirname "$0")/asked"\nexec /usr/bin/env -i '
        + "/usr/bin/python3"
        + ' "$@"\n'
    )
    seen.chmod(0o755)
    lines = ("echo a module is loaded", f"export PATH={tmp_path}/module/bin:$PATH")
    made, *_ = provision(replace(site, setup=lines, environment={"LAB": "7"}), root)
    assert version_in(made, "tide") == "1.0"
    assert set((tmp_path / "module/bin/asked").read_text().split()) == {"7"}


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"python": "/no/such/python"},
            "/no/such/python did not answer .*not found.*: correct its `python` or `setup`",
        ),
        ({"setup": ("false",)}, "a line of the set-up failed"),
        ({"python": "/bin/true"}, "/bin/true did not answer"),
    ],
)
def test_a_python_that_does_not_answer_is_named(
    site: Site, root: Path, keys: dict[str, object], said: str
) -> None:
    with pytest.raises(SiteError, match=said):
        provision(replace(site, **keys), root)
    assert not file_of(root, site).exists()


@pytest.mark.parametrize(
    ("site", "said"),
    [
        (Site("here", requirements=("tide",)), "is this machine"),
        (Site("c", "slurm"), "has no `requirements`"),
        (Site("c", "slurm", container="lab.sif", requirements=("tide",)), "keep that or its `requirements`"),
    ],
)
def test_a_site_that_can_have_no_packages_of_its_own_is_refused(site: Site, root: Path, said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        Provision(site, root)


@pytest.mark.usefixtures("index")
def test_a_second_one_at_once_is_told_so(site: Site, root: Path) -> None:
    with held(root, site), pytest.raises(LedgerError, match="`penstock site provision cluster` is at work"):
        provision(site, root)
    assert not provision(site, root)[1]


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(("old", "new"), [('"format": 1', '"format": 99'), ("}", "")])
def test_what_is_kept_and_cannot_be_read_is_found_again(site: Site, root: Path, old: str, new: str) -> None:
    made, *_ = provision(site, root)
    path = root / FOLDER / "environments/cluster.json"
    path.write_text(path.read_text().replace(old, new))
    assert read_environment(root, site) is None
    assert provision(site, root)[:2] == (made, True)


@pytest.mark.usefixtures("index")
def test_what_is_installed_is_listed_and_removed(site: Site, root: Path) -> None:
    made, *_ = provision(site, root)
    (one,) = Inventory(site, root).take()
    assert (one.kind, one.digest, [*one.holds]) == ("env", made.digest, ["moon==1.0", "tide==1.0"])
    assert one.python.startswith("3.")
    assert one.users == [mark_of(root)]
    assert clear(site, root, [], unused=True) == []
    assert clear(site, root, [made.digest[:10]], unused=False) == [made.digest]
    assert read_environment(root, site) is None, "functions are refused from now on"
    assert not provision(site, root)[1]


def test_an_environment_that_is_not_used_any_more_is_nobodys(site: Site, root: Path, index: Path) -> None:
    first, *_ = provision(site, root)
    make_wheel(index, "sun")
    second, *_ = provision(replace(site, requirements=("sun",)), root)
    assert clear(site, root, [], unused=True) == [first.digest]
    assert [thing.digest for thing in Inventory(site, root).take()] == [second.digest]

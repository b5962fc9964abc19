"""What penstock made at a site: listed, and removed when nobody needs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.site.test_builds import MAKE, program_in

from penstock.campaign import Site
from penstock.errors import DefinitionError
from penstock.site.builds import Builds
from penstock.site.cluster import mark_of
from penstock.site.inventory import Inventory
from penstock.site.provision import clear


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site("cluster", "slurm", workdir=tmp_path / "work")


def build(site: Site, root: Path, text: str = MAKE) -> str:
    """Build a program for a campaign; return its digest."""
    builds, program = Builds(site, root), program_in(root, text)
    assert builds.ask(program, wait_s=30).is_built
    return builds.digest(program)


def there(site: Site, root: Path) -> list[str]:
    return [thing.digest for thing in Inventory(site, root).take()]


def test_all_is_listed_with_its_users(site: Site, tmp_path: Path) -> None:
    winter, summer = tmp_path / "winter", tmp_path / "summer"
    digest = build(site, winter)
    build(site, summer)
    (one,) = Inventory(site, winter).take()
    assert (one.kind, one.digest, one.holds, one.whole) == ("build", digest, ["tide"], True)
    assert sorted(one.users) == sorted([mark_of(winter), mark_of(summer)])
    text = one.to_text(us=mark_of(winter), now=one.made)
    assert text.startswith(f"{digest[:12]}  program ")
    assert "tide; used by " in text
    assert "this campaign" in text
    assert Inventory(Site("other", "slurm", workdir=tmp_path / "new"), winter).take() == []


def test_what_no_campaign_uses_is_removed_and_nothing_else(site: Site, tmp_path: Path) -> None:
    winter, summer = tmp_path / "winter", tmp_path / "summer"
    old, shared, other = (
        build(site, winter, f"true\n{MAKE}"),
        build(site, winter),
        build(site, summer, f": 2\n{MAKE}"),
    )
    build(site, summer)
    assert clear(site, winter, [], unused=True) == []
    Inventory(site, winter).settle_builds(mark_of(winter), [])
    assert there(site, winter) == sorted([shared, other]), old
    assert clear(site, winter, [other[:8]], unused=False) == [other]
    assert there(site, winter) == [shared]


def test_what_a_job_needs_is_not_removed(site: Site, tmp_path: Path) -> None:
    digest = build(site, tmp_path / "winter")
    job = tmp_path / "work" / mark_of(tmp_path / "winter") / "jobs" / "p1"
    job.mkdir(parents=True)
    (job / "spec.json").write_text(f'"programs": {{"tide": "/…/{digest}/files/tide"}}')
    with pytest.raises(
        DefinitionError, match=rf"is used by the job in {job}: wait until that is over, or cancel it"
    ):
        clear(site, tmp_path / "winter", [digest], unused=False)
    Inventory(site, tmp_path / "winter").settle_builds(mark_of(tmp_path / "winter"), [])
    assert there(site, tmp_path / "winter") == [digest]
    (job / "spec.json").unlink()
    assert clear(site, tmp_path / "winter", [], unused=True) == [digest]


def test_a_digest_names_exactly_one(site: Site, tmp_path: Path) -> None:
    build(site, tmp_path / "winter")
    build(site, tmp_path / "winter", f"true\n{MAKE}")
    with pytest.raises(
        DefinitionError, match=r"nothing there begins with zz: `penstock site provision NAME --list`"
    ):
        clear(site, tmp_path / "winter", ["zz"], unused=False)
    with pytest.raises(DefinitionError, match="more than one there begins with"):
        clear(site, tmp_path / "winter", [""], unused=False)


def test_what_is_on_its_way_is_not_taken_for_unused(site: Site, tmp_path: Path) -> None:
    digest = build(site, tmp_path / "winter")
    half = tmp_path / "work/store/build" / ("0" * 32)
    (half / "sources").mkdir(parents=True)
    assert clear(site, tmp_path / "winter", [], unused=True) == []
    assert there(site, tmp_path / "winter") == [half.name, digest]

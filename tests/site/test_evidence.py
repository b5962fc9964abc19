"""Products that an end names are looked at, and, of a runner that is gone, read."""

import hashlib
from pathlib import Path

from penstock.campaign import Site
from penstock.runner.digests import digest_folder
from penstock.site import ClusterSite
from penstock.site.evidence import Product, look_again, misfits, unproven
from penstock.testing import ManualClock


def made(root: Path, path: str, data: bytes) -> Product:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return path, len(data), hashlib.sha256(data).hexdigest()


def test_what_is_as_it_was_made_is_not_told(tmp_path: Path) -> None:
    products = [made(tmp_path, "out/a", b"abc"), made(tmp_path, "out/empty", b"")]
    assert misfits(tmp_path, products) == unproven(tmp_path, products) == {}


def test_what_is_missing_or_of_another_size_is_told(tmp_path: Path) -> None:
    products = [made(tmp_path, "out/a", b"abc"), made(tmp_path, "out/b", b"xyz")]
    (tmp_path / "out/a").unlink()
    (tmp_path / "out/b").write_bytes(b"")
    wrong = misfits(tmp_path, products)
    assert wrong["out/a"] == "out/a cannot be found (No such file or directory)"
    assert wrong["out/b"] == "out/b has 0 bytes, not 3"


def test_other_bytes_of_the_same_size_are_told_by_those_who_read_them(tmp_path: Path) -> None:
    products = [made(tmp_path, "out/a", b"abc"), made(tmp_path, "out/b", b"xyz")]
    (tmp_path / "out/b").write_bytes(b"\0\0\0")  # as a file system leaves it that lost its power
    assert misfits(tmp_path, products) == {}
    assert unproven(tmp_path, products) == {"out/b": "out/b differs from what was made"}


def test_a_folder_counts_with_all_that_is_in_it(tmp_path: Path) -> None:
    made(tmp_path, "out/f/inner", b"abc")
    size, digest = digest_folder(str(tmp_path / "out/f"))
    product = ("out/f", size, digest)
    assert unproven(tmp_path, [product]) == {}
    (tmp_path / "out/f/inner").write_bytes(b"abd")
    assert list(unproven(tmp_path, [product])) == ["out/f"]


def test_looking_again_changes_the_folder_and_leaves_nothing(tmp_path: Path) -> None:
    made(tmp_path, "out/a", b"abc")
    before = (tmp_path / "out").stat().st_mtime_ns
    look_again(tmp_path, {"out/a": "…", "gone/b": "…"})
    assert (tmp_path / "out").stat().st_mtime_ns > before
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


class LateClock(ManualClock):
    """A clock with whose second sleep a product comes into sight."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.sleeps = path, 0

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.sleeps += 1
        if self.sleeps == 2:
            self.path.write_bytes(b"abc")


def test_a_product_that_is_seen_late_from_here_is_waited_for(tmp_path: Path) -> None:
    product = made(tmp_path, "out/a", b"abc")
    (tmp_path / "out/a").unlink()
    clock = LateClock(tmp_path / "out/a")
    site = ClusterSite(Site("hpc", scheduler="slurm"), tmp_path, clock=clock)
    assert site.misfits([product]) == {}
    assert clock.sleeps == 2


def test_a_product_that_is_never_seen_is_not_waited_for_long(tmp_path: Path) -> None:
    clock = ManualClock()
    site = ClusterSite(Site("hpc", scheduler="slurm"), tmp_path, clock=clock)
    before = clock.monotonic()
    assert list(site.misfits([("out/a", 3, "ab"), ("out/b", 3, "ab")])) == ["out/a", "out/b"]
    assert clock.monotonic() - before < 5

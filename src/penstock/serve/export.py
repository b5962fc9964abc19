"""Static pages of campaigns in a folder: no server is needed, and each file is the old one or the new one."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from penstock.disk import write_public
from penstock.errors import DefinitionError, LedgerError, PenstockError
from penstock.ledger import Ledger
from penstock.record.reading import Wanted, read_tasks
from penstock.record.rows import ProductRow
from penstock.serve.campaigns import Shown, said
from penstock.serve.files import file_of, is_picture, open_beneath, roots_of
from penstock.serve.pages import PAGES, STATIC, Shell, render, render_page
from penstock.serve.views import Broken, Head, head_of, now_of

MARK = ".penstock-pages"  # the list of our files, in a folder of pages: nothing else there is ours
UNITS = 500  # that get a page
URGENT = ("failed", "running", "blocked", "vetoed", "queued", "done", "ready", "waiting", "gone")
PRODUCT_BYTES = 20 << 20  # of a picture that is copied


@dataclass
class Written:
    """A folder of pages that is being written: what is in it, and what was before."""

    folder: Path
    names: set[str] = field(default_factory=set[str])

    def put(self, name: str, data: bytes) -> None:
        """Write a file for everybody to read; who reads it sees the old one or the new one."""
        path = self.folder / name
        make_folder(path.parent)
        if name not in self.names:  # listed before it is there: whatever ends this, the next one knows it
            add_line(self.folder / MARK, name)
            self.names.add(name)
        write_public(path, data)

    def keep(self, campaign: str) -> None:
        """Let the pages of a campaign be as they are."""
        self.names |= {name for name in listed(self.folder) if name.startswith(f"{campaign}/")}

    def finish(self) -> None:
        """Remove what was written earlier and no longer belongs there."""
        for name in listed(self.folder) - self.names:
            with suppress(OSError):
                (self.folder / name).unlink()
        write_public(self.folder / MARK, "".join(f"{name}\n" for name in sorted(self.names)).encode())


@dataclass(frozen=True)
class StaticLinks:
    """Addresses from a page at some depth; of units that have no page there are none."""

    written: Written
    up: str = ""
    units: Mapping[str, str] = field(default_factory=dict[str, str])
    roots: Sequence[Path] = ()
    live: ClassVar[bool] = False

    def asset(self, name: str) -> str:
        """Return the address of a style, script or icon."""
        return f"{self.up}static/{name}"

    def home(self) -> str:
        """Return the address of the list of campaigns."""
        return f"{self.up}index.html"

    def page(self, campaign: str, /, page: str = "", **asked: Any) -> str | None:
        """Return the address of a page; of a part of one there is none."""
        kept = {key for key, value in asked.items() if value not in (None, "", 0)}
        return None if kept or page not in PAGES else f"{self.up}{campaign}/{page or 'index'}.html"

    def unit(self, campaign: str, unit: str, /, **asked: Any) -> str | None:
        """Return the address of a unit's page."""
        name = self.units.get(unit)
        return name and f"{self.up}{campaign}/{name}"

    def opens(self, address: str) -> bool:
        """Whether a picture may be a page of its own: in an SVG scripts would run as ours, and no sandbox is around it."""
        return not address.endswith(".svg")

    def product(self, campaign: str, product: ProductRow, part: str = "") -> str | None:
        """Copy a picture beside the pages, and return its address; other products have none."""
        path = file_of(product, part)
        if not is_picture(path):
            return None
        made = hashlib.sha256(f"{product.digest}/{part}".encode(errors="surrogateescape")).hexdigest()
        name = f"{campaign}/pictures/{made[:24]}{path.suffix.lower()}"
        if name not in self.written.names:
            with suppress(OSError), open_beneath(self.roots, path) as stream:
                if os.fstat(stream.fileno()).st_size <= PRODUCT_BYTES:
                    self.written.put(name, stream.read())
        return f"{self.up}{name}" if name in self.written.names else None


def export(campaigns: Mapping[str, Shown], folder: Path) -> tuple[int, Sequence[Broken]]:
    """Write all pages; return how many files there are, and which campaigns cannot be read, whose pages stay as they were.

    Raises DefinitionError for a folder with other files, or where another process writes pages.
    """
    make_folder(folder)
    with alone(folder):
        if not (folder / MARK).exists() and any(folder.iterdir()):
            raise DefinitionError(
                f"{folder} has files that are no pages of ours: name a new or an empty folder"
            )
        written = Written(folder)
        for path in sorted(STATIC.iterdir()):
            written.put(f"static/{path.name}", path.read_bytes())
        heads = [export_one(written, shown) for shown in campaigns.values()]
        text = render(
            "campaigns.html", Shell(StaticLinks(written)), title="Campaigns", heads=heads, written=time.time()
        )
        written.put("index.html", text.encode("utf-8", "xmlcharrefreplace"))
        written.finish()
    return len(written.names), [head for head in heads if isinstance(head, Broken)]


@contextmanager
def alone(folder: Path) -> Generator[None]:
    """Be the only one who writes pages there, where the file system has locks; raises DefinitionError if another does."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if isinstance(error, BlockingIOError):
                raise DefinitionError(
                    f"another `penstock serve --export` writes into {folder}: wait for it"
                ) from error
        yield
    finally:
        os.close(descriptor)


def export_one(written: Written, shown: Shown) -> Head | Broken:
    """Write the pages of a campaign, or keep those that there are if it cannot be read."""
    try:
        with said(), shown.open() as ledger:
            return export_campaign(written, shown, ledger)
    except (LedgerError, DefinitionError) as error:
        written.keep(shown.name)
        return Broken(shown.name, str(error))


def make_folder(folder: Path) -> None:
    """Make a folder; raises PenstockError if it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PenstockError(f"{folder} cannot be made ({error.strerror}): name another --export") from error


def export_campaign(written: Written, shown: Shown, ledger: Ledger) -> Head:
    """Write the pages of one campaign, all of one moment of its record."""
    ledger.db.execute("BEGIN")
    head, at = head_of(shown, ledger), now_of(ledger)
    units = {
        name: f"units/{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:16]}.html"
        for name in units_of(ledger, head)
    }
    for unit, place in units.items():
        put_page(written, shown, ledger, head, "unit", f"{shown.name}/{place}", {"unit": unit}, units, at)
    for name, page in PAGES.items():
        if page.listed:
            put_page(
                written, shown, ledger, head, name, f"{shown.name}/{name or 'index'}.html", {}, units, at
            )
    return head


def put_page(
    written: Written, shown: Shown, ledger: Ledger, head: Head, name: str, place: str,
    asked: Mapping[str, str], units: Mapping[str, str], at: float,
) -> None:  # fmt: skip
    """Write one page."""
    links = StaticLinks(written, "../" * place.count("/"), units, roots_of(ledger))
    try:
        text = render_page(name, head, PAGES[name].read(ledger, head, asked), asked, Shell(links), written=at)
    except PenstockError as error:
        text = render(
            "error.html", Shell(links), title=PAGES[name].title, head=head, why=str(error), written=at
        )
    written.put(place, text.encode("utf-8", "xmlcharrefreplace"))


def units_of(ledger: Ledger, head: Head) -> list[str]:
    """Return the units that get a page: those that need a person first."""
    found = dict[str, None]()
    for state in URGENT:
        if any(stage.tasks[state] for stage in head.status.stages):
            rows: Iterator[Any] = read_tasks(ledger, Wanted(state=state))
            found.update(
                (name, None) for row in islice(rows, UNITS) for name in (row.unit, *groups_of(row.unit))
            )
        if len(found) >= UNITS:
            break
    return list(found)[:UNITS]


def groups_of(unit: str) -> Iterator[str]:
    """Yield the groups that a unit is in, by its name."""
    parts = unit.split("/")
    yield from ("/".join(parts[:depth]) for depth in range(1, len(parts)) if parts[0])


def add_line(path: Path, line: str) -> None:
    """Add a line to a list; raises PenstockError if it cannot be written."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    except OSError as error:
        raise PenstockError(f"{path} cannot be written ({error.strerror}): make room there") from error


def listed(folder: Path) -> set[str]:
    """Return which files of a folder are ours; none that would lead out of it."""
    try:
        names = (folder / MARK).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return set()
    return {name for name in names if name and not Path(name).is_absolute() and ".." not in Path(name).parts}

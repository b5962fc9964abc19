"""The campaign's folder at a site that does not see ours: what tasks need travels there, what they make travels home.

Names of files are the same on both sides, below the two folders. What tasks read is in a store that all campaigns of one
person share, by its digest; programs are in the campaign's folder itself, where tasks run.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from penstock.campaign import Site
from penstock.disk import write_file
from penstock.errors import DefinitionError, Held
from penstock.host import hostname, machine_id
from penstock.ledger import FOLDER
from penstock.rendering import View
from penstock.runner.blocks import draft_of
from penstock.runner.digests import digest_folder, sync_path, sync_tree
from penstock.runner.files import make_durable, make_folders, remove
from penstock.runner.sealed import seal, unseal
from penstock.runner.store import STORE, blob_of
from penstock.site.contents import Blob
from penstock.site.evidence import Product
from penstock.site.folders import writing
from penstock.transports.protocol import Copy, Part, Transport, read_whole

READ_ONLY = 0o444
#: of files here: they have another size, other bytes, or are gone
CHANGED = (errno.ESTALE, errno.EIO, errno.ENOENT)
SCRATCH = f"{FOLDER}/scratch"
OWNER = "owner.json"  # beside the jobs: it is read in the round trip that reads their events


class FarFolder:
    """The campaign's folder at one site, and the store of the work folder that it is in."""

    def __init__(self, site: Site, root: Path, jobs: Transport, mark: str) -> None:
        if site.workdir is None:
            raise DefinitionError(f"site '{site.name}' needs a `workdir`: inputs and products travel to it")
        self.site, self.root, self.mark, self.jobs = site, root, mark, jobs
        self.base = jobs.at(site.workdir)
        self.view = View(site.workdir / mark / "files", True, site.paths)
        """How tasks there see it; `~` in it is the home there."""
        self.folder = jobs.at(self.view.root)

    @property
    def store(self) -> Path:
        """The folder of the store."""
        return self.base.folder / STORE

    # there

    def hold(self, blobs: Iterable[Blob]) -> Sequence[str]:
        """Keep these for our tasks there, and return the digests of those that the store does not have."""
        with writing(self.base.folder):
            return self.base.hold(self.mark, {blob.digest: blob.size for blob in blobs})

    def send(self, blobs: Iterable[Blob]) -> None:
        """Send what the store does not have; raises Changed for what has to be looked at again."""
        texts, files = dict[str, bytes](), list[Copy]()
        for blob in blobs:
            if isinstance(blob.source, bytes):
                texts[blob_of(blob.digest)] = blob.source
            else:
                files.append(Copy(blob_of(blob.digest), blob.source, blob.size, blob.digest, READ_ONLY))
        with writing(self.base.folder):
            self.base.write(texts)
        send_all(self.base, files)

    def put(self, programs: Sequence[Copy]) -> None:
        """Put programs where tasks run, as far as they are not there as they are here; raises Changed."""
        send_all(self.folder, programs)

    def release(self, digests: Sequence[str]) -> None:
        """Let the store forget what no task of ours there needs any more; raises Held."""
        self.check_owner()
        with writing(self.base.folder):
            self.base.release(self.mark, digests)

    def misfits(self, products: Sequence[Product]) -> Mapping[str, str]:
        """Return products that are missing there or have another size, and what is wrong."""
        return self.folder.check([(path, size, None) for path, size, _ in products]) if products else {}

    def unproven(self, products: Sequence[Product]) -> Mapping[str, str]:
        """Return products that have other bytes there than their digests say; make the others durable."""
        return self.folder.check(products) if products else {}

    def remove(self, paths: Sequence[str]) -> None:
        """Remove products there; raises Held."""
        self.check_owner()
        self.folder.remove(paths)

    def remove_leftovers(
        self, folders: Iterable[str], tags: Iterable[str], is_kept: Callable[[str], bool]
    ) -> None:
        """Remove what killed runners left beside products in these folders, and in scratch, but for what is kept."""
        private = [f"{folder}/{FOLDER}".removeprefix("./") for folder in folders]
        begins = tuple(f"{tag}." for tag in tags)
        found = self.folder.list([*private, SCRATCH])
        left = [
            f"{folder}/{name}" for folder, names in found.items() for name in names if name.startswith(begins)
        ]
        self.folder.remove([path for path in left if not is_kept(path.rpartition("/")[2])])

    def check_owner(self) -> bool:
        """Whether the campaign's folder there is ours by now; raises Held when another machine's campaign has it."""
        return self.is_ours(read_whole(self.jobs, OWNER))

    def is_ours(self, told: bytes | None) -> bool:
        """Whether this is what a campaign of this machine wrote there; raises Held when it is another machine's."""
        found: dict[str, str] | None = unseal(told or b"")
        if found and found["machine"] != machine_id():
            raise Held(
                f"site '{self.site.name}': {self.mark} there belongs to the same campaign on {found['host']} ({found['root']}):"
                f" continue there, or take it over with `penstock site login {self.site.name} --take-over`"
            )
        return found is not None

    def own(self) -> None:
        """Let the campaign's folder there be this machine's, unless it is; raises Held."""
        if not self.check_owner():
            ours = {"machine": machine_id(), "host": hostname(), "root": str(self.root)}
            with writing(self.jobs.folder):
                self.jobs.write({OWNER: seal(json.dumps(ours).encode())})

    def take_over(self) -> None:
        """Let the campaign's folder there be this machine's."""
        self.jobs.remove([OWNER])
        self.own()

    def leave(self, strangers: Sequence[str]) -> None:
        """Remove what is there of a campaign that needs nothing there any more; scratch folders that were kept stay.

        `strangers`: jobs that were called off. Raises Held.
        """
        self.check_owner()
        kept = self.folder.list([SCRATCH]).get(SCRATCH, {})
        self.folder.remove([name for name in self.folder.list([""]).get("", {}) if name != FOLDER])
        self.folder.remove([] if kept else [FOLDER])
        left = [name for name in self.jobs.list([""]).get("", {}) if name.endswith(".pyz")]
        self.jobs.remove([*strangers, *left, OWNER])
        self.folder.leave()
        self.jobs.leave()

    # home

    def is_taken(self, path: str) -> bool:
        """Whether something lies here at the path of a product."""
        return os.path.lexists(self.root / path)

    def set_time(self, path: str, mtime_ns: int) -> None:
        """Give a product here the time that it had where it was made, by which a change is seen."""
        os.utime(self.root / path, ns=(mtime_ns, mtime_ns), follow_symlinks=False)

    def fetch_files(self, products: Sequence[Product]) -> None:
        """Bring files home, each whole or not there; raises OSError for one that is not there as it was made."""
        mode = usual_mode()
        self.folder.fetch(
            [Copy(path, self.root / path, size, digest, mode) for path, size, digest in products]
        )

    def fetch_folder(self, path: str, digest: str) -> None:
        """Bring a folder home, beside its place first; raises OSError for one that is not there as it was made."""
        final, parts = self.root / path, self.folder.walk([path])[path]
        draft = Path(draft_of(str(final), digest))
        make_durable(str(draft))
        remove_links(draft)
        self.folder.fetch([part_of(path, draft, part) for part in parts if not part.link])
        for part in (part for part in parts if part.link):
            make_link(draft / part.name, part.link)
        if digest_folder(str(draft))[1] != digest:
            shutil.rmtree(draft)
            raise OSError(errno.EIO, "it has other bytes than were made", str(final))
        remove(str(final))
        os.rename(draft, final)
        sync_tree(str(final))
        sync_path(str(final.parent))

    def bring_archive(self, name: str) -> None:
        """Bring the archive of a finished job home, and remove it there; one that is not there stays away."""
        data = read_whole(self.jobs, name)
        if data is not None:
            folder = self.root / FOLDER / "jobs"
            make_durable(str(folder))
            write_file(folder / name, data)
            self.jobs.remove([name])


class Changed(Exception):
    """A file of ours was not as it had been looked at when it was sent."""


def send_all(way: Transport, files: Sequence[Copy]) -> None:
    """Send files; raises Changed if one is not as it was."""
    with writing(way.folder):
        try:
            way.send(files)
        except OSError as error:
            if error.errno not in CHANGED:
                raise
            raise Changed(f"{error.filename or 'a file'} could not be sent ({error.strerror})") from error


def remove_links(folder: Path) -> None:
    """Remove the links that an earlier try made, since nothing is to be written through one."""
    for path in folder.rglob("*"):
        if path.is_symlink():
            path.unlink()


def part_of(path: str, draft: Path, part: Part) -> Copy:
    """Return where a file of a folder product comes from and goes to."""
    return Copy(f"{path}/{part.name}", draft / part.name, part.size, part.digest, usual_mode())


def make_link(path: Path, target: str) -> None:
    """Make a link of a folder product."""
    make_folders(str(path.parent))
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def usual_mode() -> int:
    """Return the mode that a program of ours would give a new file."""
    os.umask(umask := os.umask(0o077))
    return 0o666 & ~umask

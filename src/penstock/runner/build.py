"""Pack the runner into one file that any Python 3.6 can run."""

import hashlib
import marshal
import os
import shutil
import zipfile
import zlib
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Dict, Tuple

PACKAGE = "penstock_runner"
_INTACT: Dict[str, Tuple[int, int, int]] = {}  # runners that were read and found whole
UNCHECKED = (1).to_bytes(4, "little")
MARSHAL_WITHOUT_REFERENCES = 2  # later versions write other bytes for the same code
MAIN = "import sys\nfrom {}.main import main\nsys.exit(main())\n".format(PACKAGE)


def build_pyz(folder: Path) -> Path:
    """Put `runner-<sha256 of its content>.pyz` into `folder` unless a good copy is there; return its path.

    >>> build_pyz(Path("/tmp")).name                             # doctest: +SKIP
    'runner-5b0c….pyz'
    """
    sources = read_sources()
    target = Path(folder) / "runner-{}.pyz".format(digest_sources(sources))
    if not is_intact(target, sources):
        draft = target.with_name(".{}.{}".format(target.name, os.getpid()))
        try:
            write_zip(draft, sources)
            draft.chmod(0o600)
            if target.is_dir():
                shutil.rmtree(str(target))
            os.rename(str(draft), str(target))
        except OSError:  # of a full disk it would take the rest
            if draft.exists():
                draft.unlink()
            raise
    return target


def is_intact(path: Path, sources: Dict[str, bytes]) -> bool:
    """Return whether a runner file holds these sources, undamaged."""
    try:
        found = os.stat(str(path))
        signature = (found.st_ino, found.st_size, found.st_mtime_ns)
        if _INTACT.get(str(path)) != signature:
            with zipfile.ZipFile(str(path)) as archive:
                names = set(archive.namelist())
                if archive.testzip() or any(archive.read(name) != data for name, data in sources.items()):
                    return False
                if not names >= {name + "c" for name in sources}:
                    return False
            _INTACT[str(path)] = signature
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return False
    return True


def read_sources() -> Dict[str, bytes]:
    """Return the files of the zip by name."""
    here = Path(__file__).parent
    names = sorted(path.name for path in here.glob("*.py") if path.name not in ("__main__.py", "build.py"))
    sources = {PACKAGE + "/" + name: (here / name).read_bytes() for name in names}
    sources["__main__.py"] = MAIN.encode("ascii")
    return sources


def digest_sources(sources: Dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update("{}\0{}\0".format(name, len(sources[name])).encode("utf-8"))
        digest.update(sources[name])
    return digest.hexdigest()


def write_zip(path: Path, sources: Dict[str, bytes]) -> None:
    """Write sources, with their bytecode for this version of Python, which then starts twice as fast."""
    with open(str(path), "wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(sources):
                _add(archive, name, sources[name])
                _add(archive, name + "c", _compiled(name, sources[name]))
        file.flush()
        os.fsync(file.fileno())


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)


def _compiled(name: str, source: bytes) -> bytes:
    """Return the content of a .pyc that is not checked against its source (PEP 552); others skip it."""
    code = compile(source, name, "exec", dont_inherit=True)
    return MAGIC_NUMBER + UNCHECKED + bytes(8) + marshal.dumps(code, MARSHAL_WITHOUT_REFERENCES)

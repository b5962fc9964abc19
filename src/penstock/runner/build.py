"""Pack what goes to far machines into files that any Python 3.6 can run."""

import hashlib
import io
import marshal
import zipfile
import zlib
from functools import lru_cache
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Dict, List, Sequence

PACKAGE = "penstock_runner"
RECEIVER = "penstock_receiver"
RECEIVERS = (
    "below.py",
    "blocks.py",
    "digests.py",
    "errors.py",
    "files.py",
    "kinds.py",
    "pace.py",
    "receiver.py",
    "store.py",
)
INSTALLER = "penstock_installer"
INSTALLERS = ("blocks.py", "files.py", "installer.py", "pace.py", "survey.py", "wheel.py")
BUILDER = "penstock_builder"
BUILDERS = ("builder.py", "digests.py", "errors.py", "files.py", "kinds.py", "orphans.py", "survey.py")
SPOOL = "penstock_spool"
SPOOLERS = ("files.py", "identity.py", "orphans.py")
ELSEWHERE = (
    "__main__.py",
    "below.py",
    "blocks.py",
    "boot.py",
    "build.py",
    "builder.py",
    "installer.py",
    "inventory.py",
    "pace.py",
    "receiver.py",
    "survey.py",
    "wheel.py",
)
UNCHECKED = (1).to_bytes(4, "little")
MARSHAL_WITHOUT_REFERENCES = 2  # later versions write other bytes for the same code
MAIN = "import sys\nfrom {}.main import main\nsys.exit(main())\n".format(PACKAGE)
BUILD = "import sys\nfrom {}.builder import main\nmain(*sys.argv[1:])\n".format(BUILDER)
INSTALL = "import sys\nfrom {}.installer import main\nmain(*sys.argv[1:])\n".format(INSTALLER)


def runner_name(sources: Dict[str, bytes]) -> str:
    """Return the name of the file that holds these sources: no other content has it."""
    return "runner-{}.pyz".format(digest_sources(sources))


def is_intact(data: bytes, sources: Dict[str, bytes]) -> bool:
    """Say whether the bytes of a runner hold these sources, and nothing in them was damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            if archive.testzip() or any(archive.read(name) != text for name, text in sources.items()):
                return False
            return names >= {name + "c" for name in sources}
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return False


def read_sources() -> Dict[str, bytes]:
    """Return the files of the zip by name."""
    here = Path(__file__).parent
    names = sorted(path.name for path in here.glob("*.py") if path.name not in ELSEWHERE)
    sources = {PACKAGE + "/" + name: (here / name).read_bytes() for name in names}
    sources["__main__.py"] = MAIN.encode("ascii")
    return sources


def build_receiver() -> bytes:
    """Return the file that answers for transports far away."""
    return build_zip(packed(RECEIVER, RECEIVERS))


def build_installer() -> bytes:
    """Return the file that makes an environment out of wheels."""
    return build_zip(dict(packed(INSTALLER, INSTALLERS), **{"__main__.py": INSTALL.encode("ascii")}))


def build_builder() -> bytes:
    """Return the file that builds programs."""
    return build_zip(dict(packed(BUILDER, BUILDERS), **{"__main__.py": BUILD.encode("ascii")}))


def packed(package: str, names: Sequence[str]) -> Dict[str, bytes]:
    """Return some of our files as a package of another name."""
    here = Path(__file__).parent
    files = {name: (here / name).read_bytes() for name in names}
    return {package + "/" + name: text for name, text in {"__init__.py": b"", **files}.items()}


def read_survey(environments: List[str], files: List[str]) -> str:
    """Return what a far Python runs to tell what it is, which environments are whole, and which files are missing."""
    call = "\nsurvey({!r}, {!r})\n".format(environments, files)
    return (Path(__file__).parent / "survey.py").read_text("utf-8") + call


def read_inventory() -> str:
    """Return what a far Python runs to tell what is in a store, or to remove some of it; a call is added."""
    return (Path(__file__).parent / "inventory.py").read_text("utf-8")


def build_spool() -> bytes:
    """Return the file that makes a machine without a scheduler one, with sources alone: it goes with each question."""
    here = Path(__file__).parent
    paths = [*(here / name for name in SPOOLERS), *sorted((here / "spool").glob("[!b]*.py"))]
    sources = {"{}/{}".format(SPOOL, path.relative_to(here).as_posix()): path.read_bytes() for path in paths}
    main = "import sys\nfrom {}.spool.questions import main\nmain(sys.argv[1:])\n".format(SPOOL)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, text in sorted(
            {**sources, SPOOL + "/__init__.py": b"", "__main__.py": main.encode()}.items()
        ):
            _add(archive, name, text)
    return file.getvalue()


def read_spool_boot() -> str:
    """Return what a far Python runs to have that file."""
    return (Path(__file__).parent / "spool" / "boot.py").read_text("ascii")


def read_boot(*arguments: str) -> bytes:
    """Return what a far Python runs first, and what it is called with."""
    call = "\nboot({})\n".format(", ".join(map(repr, arguments)))
    return (Path(__file__).parent / "boot.py").read_bytes() + call.encode("ascii")


def digest_sources(sources: Dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update("{}\0{}\0".format(name, len(sources[name])).encode("utf-8"))
        digest.update(sources[name])
    return digest.hexdigest()


def build_zip(sources: Dict[str, bytes]) -> bytes:
    """Return a file with sources, and beside them their code for this very Python, which then starts twice as fast."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(sources):
            _add(archive, name, sources[name])
            _add(archive, name + "c", _compiled(name, sources[name]))
    return file.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)


@lru_cache(maxsize=None)
def _compiled(name: str, source: bytes) -> bytes:
    """Return the content of a .pyc that is not checked against its source (PEP 552); others skip it."""
    code = compile(source, name, "exec", dont_inherit=True)
    return MAGIC_NUMBER + UNCHECKED + bytes(8) + marshal.dumps(code, MARSHAL_WITHOUT_REFERENCES)

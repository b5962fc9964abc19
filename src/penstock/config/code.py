"""The files of a campaign's own that its stages reach: modules by their syntax, others by their content."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from penstock.config.syntax import Syntax, digest_of, read_syntax
from penstock.functions import candidates

MOST_BYTES = 16_000_000  # of a file whose content is looked at; above it size and time stand for the content


def mark_of(file: Path) -> str | None:
    """Digest a file's content, or its size and time where it is large; None if it is no file."""
    try:
        found = file.stat()
        if not stat.S_ISREG(found.st_mode):
            return None
        if found.st_size > MOST_BYTES:
            return f"{found.st_size}:{found.st_mtime_ns}"
        return digest_of(file.read_bytes())
    except OSError:
        return None


def content_of(file: Path) -> bytes:
    """Return the content of a file; nothing if it cannot be read, which running it will report."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def is_large(file: Path) -> bool:
    """Whether size and time of a file stand for its content."""
    try:
        return file.stat().st_size > MOST_BYTES
    except OSError:
        return False


@dataclass
class Code:
    """Reads what stages reach; `looked` are all files that were looked for, found or not."""

    root: Path
    looked: set[Path] = field(default_factory=set[Path])
    modules: dict[Path, Syntax] = field(default_factory=dict[Path, Syntax])

    def of_functions(self, named: Sequence[tuple[str, str]]) -> dict[str, str]:
        """Digest the modules that functions, each a module and a name, reach together, by file.

        A function that a decorator makes another stage is left out as long as nothing names it.
        """
        reached = self.reached((module for module, _ in named), (self.root,))
        names = spread(reached.values(), {name for _, name in named})
        return {self.shown(file): syntax.digest(names) for file, syntax in reached.items()}

    def of_script(self, text: bytes, folder: Path) -> dict[str, str]:
        """Digest the modules that a script imports, by file; its own folder, `folder`, is searched first."""
        reached = self.reached(read_syntax(text).imports, (folder, self.root))
        names = {one.stage for syntax in reached.values() for one in syntax.statements if one.stage}
        return {self.shown(file): syntax.digest(names) for file, syntax in reached.items()}

    def of_file(self, file: Path) -> dict[str, str]:
        """Digest one file by its content, if it exists."""
        self.looked.add(file)
        mark = mark_of(file)
        return {self.shown(file): mark} if mark else {}

    def shown(self, file: Path) -> str:
        """Name a file as it is seen from the campaign's folder."""
        return str(file.relative_to(self.root) if file.is_relative_to(self.root) else file)

    def reached(self, modules: Iterable[str], folders: Sequence[Path]) -> dict[Path, Syntax]:
        """Return these modules and all that they import, as far as they are the campaign's own."""
        found, seen, todo = dict[Path, Syntax](), set[str](), [*modules]
        while todo:
            if (name := todo.pop()) in seen:
                continue
            seen.add(name)
            for file, syntax in self.run_by(name, folders):
                if file not in found:
                    found[file] = syntax
                    todo += syntax.imports
                if name.endswith(".*") and file.name == "__init__.py":
                    todo += (name[:-1] + one for one in syntax.names if one.isidentifier())
        return dict(sorted(found.items()))

    def run_by(self, name: str, folders: Sequence[Path]) -> Iterator[tuple[Path, Syntax]]:
        """Yield the module called `name` and the packages around it, which its import runs, too."""
        parts = name.removesuffix(".*").split(".")
        for depth in range(1, len(parts) + 1):
            files = (self.find(".".join(parts[:depth]), folder) for folder in folders)
            if all(part.isidentifier() for part in parts[:depth]) and (
                file := next(filter(None, files), None)
            ):
                yield file, self.read(file, parts[:depth])

    def find(self, name: str, folder: Path) -> Path | None:
        """Return the file of a module, and remember the files that were looked for."""
        files = candidates(name, folder)
        found = next((file for file in files if file.is_file()), None)
        self.looked.update(file for file in files if file.suffix == ".py" or file == found)
        return found

    def read(self, file: Path, parts: Sequence[str]) -> Syntax:
        """Read the module that was imported by this name."""
        if file not in self.modules:
            package = parts if file.name == "__init__.py" else parts[:-1]
            self.modules[file] = read_syntax(content_of(file), package)
        return self.modules[file]


def spread(modules: Iterable[Syntax], names: set[str]) -> set[str]:
    """Return `names` with those that stand in modules, and in the functions of stages that are named by these."""
    statements = [one for syntax in modules for one in syntax.statements]
    known = names.union(*(one.names for one in statements if not one.stage))
    while more := {n for one in statements if one.stage in known for n in one.names} - known:
        known |= more
    return known

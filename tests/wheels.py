"""Wheels of our own, and those that installed packages came from."""

from __future__ import annotations

import importlib.metadata
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, str] | None = None,
    requires: Sequence[str] = (),
    scripts: str = "",
    tag: str = "py3-none-any",
) -> Path:
    """Write a wheel; without `files` it has one module of its name, with its version."""
    info = f"{name}-{version}.dist-info"
    about = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    content = {
        **(files if files is not None else {f"{name}.py": f"version = {version!r}\n"}),
        f"{info}/METADATA": "".join([*about, *(f"Requires-Dist: {one}\n" for one in requires)]),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/entry_points.txt": scripts,
        f"{info}/RECORD": "",
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in content.items():
            archive.writestr(inside, text)
    return path


def repack(name: str, folder: Path) -> Path:
    """Write the wheel that an installed package came from."""
    found = importlib.metadata.distribution(name)
    tags = [
        line.split()[1] for line in (found.read_text("WHEEL") or "").splitlines() if line.startswith("Tag:")
    ]
    tag = "-".join(
        ".".join(dict.fromkeys(parts)) for parts in zip(*(one.split("-") for one in tags), strict=True)
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{found.version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in found.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                archive.write(str(file.locate()), str(file))
    return path

"""Wheels for another machine and another Python, chosen by pip from a folder of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.wheels import make_wheel

from penstock.errors import DefinitionError, Unreachable
from penstock.site.surveys import Platform
from penstock.site.wheels import Wheel, download, explain, tags_of

Choose = Callable[..., list[str]]


def platform(
    version: str = "3.9.1", abi: str = "cp39", *, machine: str = "x86_64", libc: str = "glibc 2.17"
) -> Platform:
    markers = {
        "implementation_name": "cpython", "implementation_version": version, "os_name": "posix",
        "platform_machine": machine, "platform_release": "", "platform_system": "Linux", "platform_version": "",
        "python_full_version": version, "platform_python_implementation": "CPython",
        "python_version": ".".join(version.split(".")[:2]), "sys_platform": "linux",
    }  # fmt: skip
    return Platform(machine, libc, "/usr/bin/python3", version, abi, markers)


@pytest.fixture
def choose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Choose:
    """Returns the wheels that are chosen of those in a folder, for what is required on a platform."""
    for name, value in {
        "NO_INDEX": "1",
        "FIND_LINKS": str(tmp_path / "index"),
        "CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(f"PIP_{name}", value)

    def chosen(requirements: Sequence[str], there: Platform, pins: Sequence[Wheel] = ()) -> list[str]:
        into = tmp_path / f"wheels{len(list(tmp_path.glob('wheels*')))}"
        return [wheel.name for wheel in download(requirements, there, root=tmp_path, into=into, pins=pins)]

    return chosen


def test_older_machines_of_intel_have_more_names() -> None:
    tags = tags_of(platform())
    assert tags[:2] == ["manylinux_2_17_x86_64", "manylinux2014_x86_64"]
    assert tags[-3:] == ["manylinux_2_5_x86_64", "manylinux1_x86_64", "linux_x86_64"]
    assert "manylinux2010_x86_64" in tags
    assert not any("2_18" in tag for tag in tags)


@pytest.mark.parametrize("there", [platform(libc=""), platform(abi=""), platform(libc="uclibc 1.0")])
def test_another_library_or_python_is_refused(there: Platform) -> None:
    with pytest.raises(DefinitionError, match="only CPython with glibc is known; give a `container`"):
        tags_of(there)


def test_a_wheel_is_for_the_machine_the_library_and_the_python_there(choose: Choose, tmp_path: Path) -> None:
    for version, tag in [
        ("1.0", "cp39-cp39-manylinux2010_x86_64"),
        ("1.1", "cp39-cp39-manylinux_2_17_x86_64"),
        ("1.2", "cp39-cp39-manylinux_2_28_x86_64"),
        ("1.3", "cp310-cp310-manylinux_2_17_x86_64"),
        ("1.4", "cp39-cp39-manylinux_2_17_aarch64"),
        ("1.5", "cp36-abi3-manylinux2014_aarch64"),
    ]:
        make_wheel(tmp_path / "index", "tide", version, tag=tag)
    assert choose(["tide"], platform()) == ["tide-1.1-cp39-cp39-manylinux_2_17_x86_64.whl"]
    assert choose(["tide"], platform(libc="glibc 2.34")) == ["tide-1.2-cp39-cp39-manylinux_2_28_x86_64.whl"]
    assert choose(["tide"], platform(libc="glibc 2.12")) == ["tide-1.0-cp39-cp39-manylinux2010_x86_64.whl"]
    assert choose(["tide"], platform("3.10.2", "cp310")) == ["tide-1.3-cp310-cp310-manylinux_2_17_x86_64.whl"]
    assert choose(["tide"], platform(machine="aarch64")) == ["tide-1.5-cp36-abi3-manylinux2014_aarch64.whl"]


def test_conditions_are_those_of_the_python_there(choose: Choose, tmp_path: Path) -> None:
    requires = [
        "old; python_version < '3.7'",
        "new; python_version >= '3.7'",
        "arm; platform_machine == 'aarch64'",
    ]
    make_wheel(tmp_path / "index", "tide", requires=requires)
    for name in ("old", "new", "arm"):
        make_wheel(tmp_path / "index", name)
    ends = "-1.0-py3-none-any.whl"
    assert choose(["tide"], platform("3.6.8", "cp36m")) == [f"old{ends}", f"tide{ends}"]
    assert choose(["tide"], platform(machine="aarch64")) == [f"arm{ends}", f"new{ends}", f"tide{ends}"]


def test_a_file_lists_requirements_and_a_wheel_is_one(choose: Choose, tmp_path: Path) -> None:
    make_wheel(tmp_path / "index", "tide")
    make_wheel(tmp_path / "own", "moon", requires=["tide"])
    (tmp_path / "needs.txt").write_text("# ours\n./own/moon-1.0-py3-none-any.whl\n")
    for asked in ("needs.txt", "own/moon-1.0-py3-none-any.whl"):
        assert choose([asked], platform()) == ["moon-1.0-py3-none-any.whl", "tide-1.0-py3-none-any.whl"]


def test_what_was_chosen_before_is_chosen_again(choose: Choose, tmp_path: Path) -> None:
    for version in ("1.0", "1.1", "2.0"):
        make_wheel(tmp_path / "index", "deep_sea", version)
    pins = [Wheel("deep_sea-1.1-py3-none-any.whl", 0, "")]
    assert choose(["deep-sea>=1"], platform(), pins) == [pins[0].name]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            ["tide>=3"],
            "there is no wheel of tide>=3 for Python 3.9.1 on x86_64 with glibc 2.17: ask for another version",
        ),
        (["compiled"], "there is no wheel of compiled"),
        (["tide==1.0", "tide>1.0"], "tide==1.0 and tide>1.0 cannot be installed together"),
        (["no such thing"], "Invalid requirement: 'no such thing'"),
        (["none.txt"], "Could not open requirements file"),
    ],
)
def test_what_is_not_to_be_had_is_named_with_the_remedy(
    choose: Choose, tmp_path: Path, asked: list[str], said: str
) -> None:
    for version in ("1.0", "2.0"):
        make_wheel(tmp_path / "index", "tide", version)
    (tmp_path / "index" / "compiled-1.0.tar.gz").write_bytes(b"")
    with pytest.raises(DefinitionError) as refused:
        choose(asked, platform())
    assert said in str(refused.value)
    assert "requirements`" in str(refused.value)


def test_an_index_that_cannot_be_reached_is_not_a_package_that_does_not_exist(
    choose: Choose, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")
    with pytest.raises(Unreachable, match=r"no index of packages can be reached from here .*refused"):
        choose(["tide"], platform())


def test_an_error_that_is_not_known_is_told_in_pips_words() -> None:
    assert "(it is on fire): correct them" in str(
        explain("WARNING: smoke\nERROR: it is on fire\n", platform())
    )
    assert "(Segmentation fault)" in str(explain("…\nSegmentation fault\n", platform()))

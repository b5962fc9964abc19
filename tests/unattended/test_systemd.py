"""A unit says what was meant, whatever is in a path: its text is read back by systemd's own rules."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import DefinitionError
from penstock.unattended.program import Program
from penstock.unattended.systemd import argument, quoted, unit_text

ODD = (
    "plain",
    "two words",
    "50 %h",
    "it's",
    'a "b"',
    "$HOME ${PATH}",
    "end\\",
    "tail ",
    "; rm -rf x",
    "#",
    "`id`",
)
PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1).filter(
    lambda text: "/" not in text
)


def program(root: Path, **environment: str) -> Program:
    return Program(
        root, ("--set=params.name=a b",), sys.executable, {"PATH": "/opt/50%/bin:/usr/bin", **environment}
    )


def values(unit: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.splitlines() if line.partition("=")[0] == key]


def specified(text: str) -> str:
    """Resolve systemd's specifiers, of which only the doubled `%` may be there (systemd.unit(5))."""
    assert "%" not in text.replace("%%", ""), f"a specifier is left in {text}"
    return text.replace("%%", "%")


def read_word(text: str) -> str:
    """Read a word in double quotes by the rules of systemd.syntax(7)."""
    assert text[0] == text[-1] == '"'
    out, rest = "", text[1:-1]
    while rest:
        taken = 2 if rest[0] == "\\" else 1
        assert rest[:taken] in ("\\\\", '\\"') or (taken == 1 and rest[0] != '"')
        out, rest = out + rest[taken - 1], rest[taken:]
    return specified(out)


@given(PRINTABLE)
def test_any_word_is_read_back_as_it_was(text: str) -> None:
    assert read_word(quoted(text)) == text
    assert read_word(argument(text)).replace("$$", "$") == text
    assert "$" not in argument(text).replace("$$", "")


@pytest.mark.parametrize("name", ODD)
def test_the_shell_of_a_unit_runs_the_words_that_were_meant(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    (line,) = values(unit_text(program(root)), "ExecStart")
    shell, words = line.split(" sh ", 1)
    assert shlex.split(specified(shell).replace("$$", "$")) == ["/bin/sh", "-c", 'exec "$@"']
    found = [word for word in program(root).words("watch") if argument(word) in words]
    assert found == program(root).words("watch")
    (folder,) = values(unit_text(program(root)), "WorkingDirectory")
    assert Path(specified(folder)).samefile(root)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", ODD)
def test_systemd_finds_no_fault_with_a_unit(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    unit = tmp_path / f"{program(root).name}.service"
    unit.write_text(unit_text(program(root, SLURM_CONF='/etc/a "b" \\ $c.conf')))
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    told = [line for line in done.stderr.splitlines() if unit.name in line]
    assert told == []


def test_a_unit_is_tried_again_but_for_a_wrong_definition_and_leaves_runners_alone() -> None:
    text = unit_text(program(Path("/data/winter")))
    assert values(text, "Restart") == ["on-failure"]
    assert values(text, "RestartPreventExitStatus") == [str(DefinitionError.exit_code)]
    assert values(text, "KillMode") == ["process"]


def test_what_no_unit_can_hold_is_refused() -> None:
    with pytest.raises(DefinitionError, match="cannot hold"):
        program(Path("/data/two\nlines")).check()


def test_units_of_two_campaigns_of_one_name_differ() -> None:
    assert program(Path("/a/winter")).name != program(Path("/b/winter")).name
    assert program(Path("/a/häßlich & co")).name.startswith("penstock-h-lich-co-")

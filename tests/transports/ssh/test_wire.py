"""Questions, answers, and the command that every login shell leaves as it is."""

import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import DefinitionError, LedgerError, SiteError
from penstock.transports.ssh.wire import Answer, command_of, parse_answer, refuse_error

TOKEN = "0123456789abcdef"
SHELLS = ("sh", "dash", "bash", "csh", "tcsh", "fish", "zsh", "ksh")


def answer(*blobs: bytes, told: str = "", token: str = TOKEN) -> bytes:
    sizes = [len(blob) for blob in blobs]
    return f'\n<<{token} {{{told}"sizes": {sizes}}}\n'.encode() + b"".join(blobs) + f"\n{token}>>\n".encode()


@given(st.lists(st.binary(max_size=50), max_size=5), st.binary(max_size=50), st.binary(max_size=50))
def test_an_answer_is_found_whatever_is_printed_around_it(blobs, before, after):
    found = parse_answer(before + answer(*blobs) + after, TOKEN)
    assert found is not None
    assert found.blobs == blobs


@given(st.binary(min_size=1, max_size=50), st.data())
def test_an_answer_that_was_cut_is_none(blob, data):
    whole = answer(blob)
    assert parse_answer(whole[: data.draw(st.integers(0, len(whole) - 1))], TOKEN) is None


def test_another_answer_is_none():
    assert parse_answer(answer(b"a", token="f" * 16), TOKEN) is None


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("python", [sys.executable, 'python $a`b"/python3'])
def test_every_shell_runs_the_command_as_it_is_meant(tmp_path, shell, python):
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no shell {shell} here")
    if python != sys.executable:
        (tmp_path / python).parent.mkdir()
        (tmp_path / python).symlink_to(sys.executable)
    boot = b"print('it ran')#" + b"x" * 9
    done = subprocess.run(
        [program, "-c", command_of(f"./{python}" if python != sys.executable else python, len(boot))],
        input=boot + b"rest", capture_output=True, cwd=tmp_path, check=True,
    )  # fmt: skip
    assert done.stdout == b"it ran\n"


@pytest.mark.parametrize("python", ["it's", "a!b", "a\\b", "a\nb"])
def test_a_python_that_not_every_shell_would_find_is_refused(python):
    with pytest.raises(DefinitionError, match="not every shell"):
        command_of(python, 1)


def test_an_error_there_is_the_same_error_here_with_its_place():
    with pytest.raises(OSError, match=r"coulson:/scratch/a") as caught:
        refuse_error(Answer({"error": "EDQUOT", "words": "", "path": "/scratch/a"}, []), "coulson")
    assert "quota" in str(caught.value)
    with pytest.raises(FileNotFoundError):
        refuse_error(Answer({"error": "ENOENT", "words": "", "path": "/a"}, []), "coulson")


def test_a_refusal_and_an_old_python_are_sentences():
    with pytest.raises(LedgerError, match="coulson: /a belongs to another user"):
        refuse_error(Answer({"refused": "/a belongs to another user (uid 7)"}, []), "coulson")
    with pytest.raises(SiteError, match=r"Python of coulson is 3\.4\.1"):
        refuse_error(Answer({"old": "3.4.1"}, []), "coulson")

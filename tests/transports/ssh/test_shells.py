"""Login shells as they are found, and what their start-up files do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sshd import Sshd

from penstock.errors import SiteError
from penstock.transports.ssh import SshTransport

Serve = Callable[..., Sshd]
Open = Callable[..., SshTransport]

#: what start-up files do, in the words of sh and in those of csh
NOISE = {
    "print": ("echo Welcome; echo to the cluster >&2; printf 'no end of line'", "echo Welcome"),
    "a broken Python": ("export PYTHONHOME=/nowhere PYTHONPATH=/nowhere", "setenv PYTHONHOME /nowhere"),
    "every command is shown": ("set -xv", "set echo; set verbose"),
    "a line of the command is printed": ('echo "$BASH_EXECUTION_STRING"', "echo x"),
    "an end that prints": ("trap 'echo bye' EXIT", "echo x"),
    "aliases": ("alias exec=false python3=false", "alias python3 false"),
    "nothing": ("", ""),
}
STARTUP = {"bash": ".bashrc", "csh": ".cshrc"}


def force(shell: str) -> str:
    """Return the option by which a server gives commands to a shell as if it were the login shell."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no shell {shell} here")
    return f'ForceCommand {program} -c "$SSH_ORIGINAL_COMMAND"'


@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "csh", "tcsh", "fish", "zsh", "ksh"])
def test_a_far_shell_of_any_kind_runs_the_receiver(
    serve: Serve, open_way: Open, tmp_path: Path, shell: str
) -> None:
    serve(force(shell))
    way = open_way()
    way.login()
    way.write({"a b/'$x": b"x"})
    assert (tmp_path / "jobs/a b/'$x").read_bytes() == b"x"
    assert way.run(["/bin/echo", "!$x"], cwd=Path("/"), environment={}, timeout_s=30).out == "!$x\n"


@pytest.mark.parametrize("shell", ["bash", "csh"])
@pytest.mark.parametrize("noise", NOISE)
def test_what_start_up_files_do_is_not_taken_for_an_answer(
    serve: Serve, open_way: Open, shell: str, noise: str
) -> None:
    # not every bash reads .bashrc for a command that comes over a network
    server = serve(force(shell), BASH_ENV="{there}/.bashrc")
    (server.there / STARTUP[shell]).write_text(NOISE[noise][shell == "csh"] + "\n")
    way = open_way()
    way.login()
    way.write({"a": b"x"})
    assert way.read({"a": 0}) == {"a": b"x"}


def test_a_start_up_file_that_ends_the_shell_is_told(serve: Serve, open_way: Open) -> None:
    server = serve(force("bash"), BASH_ENV="{there}/.bashrc")
    (server.there / ".bashrc").write_text("echo Only for people; exit\n")
    way = open_way()
    way.login()
    with pytest.raises(
        SiteError, match=r"start-up files of your shell on coulson end it .*\(Only for people\)"
    ):
        way.list([""])

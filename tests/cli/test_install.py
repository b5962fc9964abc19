"""`up --install`: what is written, what is said, and what runs then; crontab and systemctl are pretended by scripts."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.unattended import Program
from penstock.unattended.detached import find_holder
from penstock.unattended.systemd import UserUnit

DEFINITION = """
campaign = { name = "winter", levels = ["file"] }
units = { files = "data/{file}.txt", settle = "0s" }
[stage.copy]
each = "file"
command = ["copying", "{path}", "{product}"]
products = "out/{file}.txt"
"""
CRONTAB = """#!/bin/sh
case $1 in
    -l) cat "$CRONTAB_FILE" 2>/dev/null || { echo "no crontab for me" >&2; exit 1; } ;;
    -) cat > "$CRONTAB_FILE" ;;
esac
"""
SYSTEMCTL = '#!/bin/sh\necho "$@" >> "$SYSTEMCTL_LOG"\n'
MINE = b"MAILTO=me\n# a comment with \xff\n5 4 * * * date +\\%F\n"
FIELDS = re.compile(r"(?:\S+ ){5}")
NAME = "win ter's 50%"


def program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def winter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A campaign in a folder with an odd name, whose program is on the PATH of today only."""
    root = tmp_path / NAME
    (root / "data").mkdir(parents=True)
    (root / "data/a.txt").write_text("a")
    (root / "penstock.toml").write_text(DEFINITION)
    tools = tmp_path / "tools"
    tools.mkdir()
    program(tools / "crontab", CRONTAB)
    program(tools / "systemctl", SYSTEMCTL)
    program(tools / "copying", '#!/bin/sh\nexec cp "$@"\n')
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("CRONTAB_FILE", str(tmp_path / "crontab"))
    monkeypatch.setenv("SYSTEMCTL_LOG", str(tmp_path / "asked"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "crontab").write_bytes(MINE)
    return root


@pytest.fixture
def crontab(tmp_path: Path, winter: Path) -> Callable[[], bytes]:
    return (tmp_path / "crontab").read_bytes


@pytest.fixture
def asked(tmp_path: Path, winter: Path) -> Callable[[], list[str]]:
    return lambda: (tmp_path / "asked").read_text().splitlines()


def command_in(crontab: bytes) -> str:
    """Return what cron runs for our line."""
    (line,) = [line for line in crontab.decode(errors="replace").splitlines() if "penstock tick" in line]
    return FIELDS.sub("", line, count=1).replace("\\%", "%")


def test_the_line_does_a_turn_with_the_little_that_cron_gives(penstock, winter: Path, crontab) -> None:
    shown = penstock("up", "--install=cron", "-C", winter)
    assert (shown.exit_code, crontab().startswith(MINE)) == (0, True), shown.output
    bare = {"HOME": "/", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
    until = time.monotonic() + 30
    while not (winter / "out/a.txt").exists():
        assert time.monotonic() < until
        done = subprocess.run(
            ["/bin/sh", "-c", command_in(crontab())], env=bare, cwd="/", capture_output=True, check=True
        )
        assert (done.stdout, done.stderr) == (b"", b""), "else cron sends a mail each time"
    assert "1 new unit" in (winter / ".penstock/conductor.log").read_text()


def test_installing_twice_is_one_line_and_uninstalling_leaves_what_was_there(
    penstock, winter, crontab
) -> None:
    for _ in range(2):
        penstock("up", "--install=cron", "-C", winter)
    assert crontab().count(b"penstock tick") == 1
    assert penstock("down", "-C", winter).output.splitlines()[1].startswith("cron on ")
    assert penstock("up", "--uninstall", "-C", winter).output.startswith("removed from your crontab")
    assert crontab() == MINE
    assert not (winter / ".penstock/tick.sh").exists()
    assert penstock("up", "--uninstall", "-C", winter).output == "nothing starts it by itself\n"


def test_a_crontab_that_cannot_be_read_is_not_taken_for_an_empty_one(
    penstock, winter, crontab, tmp_path
) -> None:
    program(
        tmp_path / "tools/crontab", CRONTAB.replace("-l)", "-l) echo 'You (me) are not allowed' >&2; exit 1;")
    )
    shown = penstock("up", "--install=cron", "-C", winter)
    assert (shown.exit_code, crontab()) == (1, MINE)
    assert "You (me) are not allowed" in shown.stderr


def test_a_unit_is_written_enabled_and_started(penstock, winter, asked) -> None:
    shown = penstock("up", "--install", "-C", winter)
    unit = UserUnit(Program(winter))
    assert shown.exit_code == 0, shown.output
    assert unit.path.read_text().count("ExecStart=") == 1
    assert [line for line in asked() if "show-environment" not in line] == [
        "--user daemon-reload", f"--user enable {unit.unit}", f"--user restart {unit.unit}",
    ]  # fmt: skip
    assert f"systemd starts it as {unit.unit}" in penstock("up", "-C", winter).output
    assert asked()[-1] == f"--user restart {unit.unit}"
    assert penstock("down", "-C", winter).exit_code == 0
    assert asked()[-1] == f"--user stop {unit.unit}"
    penstock("up", "--uninstall", "-C", winter)
    assert not unit.path.exists()


def test_the_other_way_replaces_the_one_before(penstock, winter, crontab) -> None:
    penstock("up", "--install=cron", "-C", winter)
    penstock("up", "--install=systemd", "-C", winter)
    assert crontab() == MINE
    penstock("up", "--install=cron", "-C", winter)
    assert not UserUnit(Program(winter)).path.exists()


def test_without_systemd_for_users_cron_is_taken(penstock, winter, crontab, tmp_path) -> None:
    program(tmp_path / "tools/systemctl", "#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    assert "crontab" in penstock("up", "--install", "-C", winter).output
    assert b"penstock tick" in crontab()
    shown = penstock("up", "--install=systemd", "-C", winter)
    assert shown.exit_code == 1
    assert "Failed to connect to bus" in shown.stderr


def test_a_dry_run_writes_nothing(penstock, winter, crontab, tmp_path) -> None:
    for kind, shows in (("cron", "*/5 * * * * /bin/sh "), ("systemd", "[Service]")):
        shown = penstock("up", f"--install={kind}", "--dry-run", "-C", winter)
        assert (shown.exit_code, shows in shown.stdout) == (0, True)
    assert (crontab(), (tmp_path / "config").exists(), (winter / ".penstock").exists()) == (
        MINE,
        False,
        False,
    )


def test_settings_go_along_and_what_is_for_one_time_does_not(penstock, winter) -> None:
    shown = penstock("up", "--install=systemd", "-n", "--set", "stage.copy.batch=7", "-C", winter)
    assert '"--set=stage.copy.batch=7"' in shown.stdout
    assert penstock("up", "--install", "--overwrite", "-C", winter).exit_code == 2


def test_what_runs_already_hands_over(penstock, winter, asked) -> None:
    penstock("up", "-C", winter)
    assert find_holder(winter)
    assert "has stopped" in penstock("up", "--install=systemd", "-C", winter).output
    assert find_holder(winter) is None


def test_without_lingering_a_unit_ends_with_the_login(penstock, winter) -> None:
    lingers = Path("/var/lib/systemd/linger") / os.environ.get("USER", "root")
    shown = penstock("up", "--install=systemd", "-C", winter).output
    assert ("`loginctl enable-linger`" in shown) == (not lingers.exists())


@pytest.fixture
def keys(tmp_path: Path, winter: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site far away, and a key for it: with a passphrase."""
    if not shutil.which("ssh-keygen"):
        pytest.skip("ssh-keygen is not installed")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret words", "-f", str(key)], check=True)
    program(
        tmp_path / "tools/ssh",
        f'#!/bin/sh\n[ "$1" = -G ] || exit 9\nprintf "%s\\n" "pubkeyauthentication $PUBKEY" "identityfile {key}"\n',
    )
    monkeypatch.setenv("PUBKEY", "true")
    text = (
        DEFINITION
        + 'site = "coulson"\n[site.coulson]\nscheduler = "slurm"\nhost = "coulson"\ntransport = "ssh"\n'
    )
    (winter / "penstock.toml").write_text(text)
    return key


def logins(root: Path) -> Iterator[str]:
    from penstock.config import load
    from penstock.unattended.logins import login_warnings

    return login_warnings(load(root).sites.values())


def test_a_key_with_a_passphrase_needs_a_person_after_a_reboot(winter: Path, keys: Path) -> None:
    (warning,) = logins(winter)
    assert f"the key {keys} has a passphrase" in warning
    assert "`penstock site login coulson`" in warning
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "secret words", "-N", "", "-f", str(keys)], check=True, stdout=-3
    )
    assert "your key is enough" in next(logins(winter))
    keys.unlink()
    assert "no file has a key for coulson" in next(logins(winter))


def test_a_host_that_takes_no_keys_needs_a_person(winter: Path, keys: Path, monkeypatch) -> None:
    monkeypatch.setenv("PUBKEY", "no")
    assert "a password or code is yours to type" in next(logins(winter))


@pytest.mark.skipif(not shutil.which("crontab"), reason="crontab is not installed: apt-get install cron")
def test_the_real_crontab_keeps_every_other_line(tmp_path: Path) -> None:
    root = tmp_path / NAME
    (root / "data").mkdir(parents=True)
    (root / "penstock.toml").write_text(DEFINITION.replace('"copying"', '"cp"'))

    def real(*words: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([*words], input=data, capture_output=True, check=False)

    before = real("crontab", "-l")
    try:
        assert real("crontab", "-", data=MINE.replace(b"\xff", b"y")).returncode == 0
        command = [sys.executable, "-m", "penstock", "up", "-C", str(root)]
        assert real(*command, "--install=cron").returncode == 0
        assert real(*command, "--install=cron").returncode == 0
        with_it = real("crontab", "-l").stdout
        assert with_it.startswith(MINE.replace(b"\xff", b"y"))
        assert with_it.count(b"penstock tick") == 1
        assert real(*command, "--uninstall").returncode == 0
        assert real("crontab", "-l").stdout == MINE.replace(b"\xff", b"y")
    finally:
        real("crontab", *(["-"] if before.returncode == 0 else ["-r"]), data=before.stdout)

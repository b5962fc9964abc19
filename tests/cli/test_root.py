import os
import subprocess
import sys

import pytest

from penstock.cli import cli
from penstock.cli.root import COMMANDS, GROUPS


def test_each_command_is_there_with_help_and_an_example(penstock):
    for name in COMMANDS:
        shown = penstock(name, "--help")
        assert shown.exit_code == 0
        assert "Example" in shown.output, name


def test_the_line_in_the_overview_is_what_the_command_says_itself():
    for name, summary in COMMANDS.items():
        command = cli.get_command(None, name)
        if name != "demo":
            first = " ".join(command.help.split("\n\n")[0].split())
            assert first.startswith(summary.rstrip(".")), name


def test_help_has_each_command_in_one_group(penstock):
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(COMMANDS)
    shown = penstock("--help").output
    assert [h for h in GROUPS if f"\n{h}:\n" not in shown] == []


def test_a_word_that_is_no_command_is_told_with_the_nearest(penstock):
    shown = penstock("stauts")
    assert shown.exit_code == 2
    assert "did you mean status?" in shown.output


@pytest.mark.parametrize("command", ["units", "jobs", "report"])
def test_where_nothing_was_run_the_remedy_is_told(penstock, winter, command):
    shown = penstock(command, "-C", winter)
    assert shown.exit_code == 1
    assert shown.stderr == f"penstock: nothing has been run in {winter} yet: start with `penstock run`\n"


def test_outside_of_a_campaign_the_remedy_is_told(penstock, tmp_path):
    shown = penstock("status", "-C", tmp_path)
    assert shown.exit_code == 2
    assert "create one with `penstock init`" in shown.stderr
    assert shown.stderr.count("\n") == 1


def test_the_campaign_is_found_from_a_folder_below(penstock, winter, monkeypatch):
    monkeypatch.chdir(winter / "data")
    assert penstock("check").output.startswith("winter: the definition is valid")


def test_the_campaign_may_be_named_before_the_command(penstock, winter):
    assert penstock("-C", winter, "check").exit_code == 0


def test_the_campaign_may_be_named_by_its_file(penstock, winter):
    assert penstock("check", "-C", winter / "penstock.toml").exit_code == 0


def test_a_folder_that_was_deleted_under_the_shell_is_told_with_the_remedy(penstock, tmp_path, monkeypatch):
    (tmp_path / "old").mkdir()
    monkeypatch.chdir(tmp_path / "old")
    (tmp_path / "old").rmdir()
    shown = penstock("status")
    monkeypatch.chdir(tmp_path)
    assert shown.exit_code == 2
    assert "is gone: `cd` to the campaign" in shown.stderr


def test_a_folder_that_is_not_there_is_wrong_use(penstock, tmp_path):
    shown = penstock("run", "-C", tmp_path / "no")
    assert shown.exit_code == 2
    assert shown.stderr == (
        f"penstock: there is no folder {tmp_path / 'no'}: correct what -C names, or start a campaign there with"
        " `penstock init`\n"
    )


def test_a_fault_of_ours_is_one_line_unless_debugging(penstock, ran, monkeypatch):
    (ran / ".penstock/ledger.sqlite").write_bytes(b"not a database, but long enough to be read as one" * 100)
    shown = penstock("status", "-C", ran)
    assert shown.exit_code == 1
    assert shown.stderr.startswith("penstock: ")
    assert shown.stderr.count("\n") == 1
    monkeypatch.setenv("PENSTOCK_DEBUG", "1")
    assert penstock("status", "-C", ran).exception is not None


def test_help_imports_nothing_heavy_and_status_no_pydantic(ran):
    code = (
        "import sys\nfrom penstock.cli import cli\n"
        "try: cli({words}, prog_name='penstock')\nexcept SystemExit: pass\n"
        "print(*({{'pydantic', 'rich', 'numpy', 'penstock.config'}} & set(sys.modules)), file=sys.stderr)"
    )
    for words in (["--help"], ["status", "-C", str(ran)], ["why", "a", "-C", str(ran)]):
        done = subprocess.run(
            [sys.executable, "-c", code.format(words=words)], capture_output=True, text=True, check=True
        )
        assert done.stderr == "\n", words


def test_a_turn_with_the_definition_of_the_last_imports_no_pydantic(penstock, winter):
    penstock("run", "-C", winter)
    code = (
        "import sys\nfrom penstock.cli import cli\n"
        "cli(['tick', '-C', sys.argv[1]], prog_name='penstock', standalone_mode=False)\nprint('pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, winter], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_help_takes_less_than_a_quarter_of_a_second():
    times = []
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-m", "penstock", "--help"], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        times.append(usage.ru_utime + usage.ru_stime)
    assert min(times) < 0.25


def test_a_reader_that_goes_away_is_no_error(ran):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "units", "-C", str(ran)],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert b"Traceback" not in done.stderr


def test_workflows_are_known_without_being_loaded():
    code = (
        "import sys; from penstock.cli.workflows import workflows; assert 'acoustics' in workflows(); "
        "assert 'penstock.workflows' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_the_system_refuses_is_one_sentence_with_the_place_and_the_remedy(tmp_path):
    (tmp_path / "winter").mkdir()
    (tmp_path / "winter/.penstock").mkdir()
    (tmp_path / "winter/.penstock/schema.json").mkdir()  # where the schema belongs
    command = [sys.executable, "-m", "penstock", "init", "winter"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "penstock: winter/.penstock/schema.json: Is a directory; put that right, and give the same command again\n"
    )

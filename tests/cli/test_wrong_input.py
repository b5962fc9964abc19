"""Wrong input ends with 2 and one sentence that names the thing."""

import pytest

HEAD = """
[campaign]
name = "x"
levels = ["kind", "file"]
[units]
files = "data/{kind}_{file}.txt"
settle = "0s"
"""
STAGE = '[stage.copy]\neach = "file"\ncommand = ["cp", "{path}", "{product}"]\nproducts = "out/{kind}_{file}.txt"\n'

WRONG = {
    "no files match": (HEAD.replace("data/", "dota/") + STAGE, "dota"),
    "two files with one key": (HEAD.replace("{kind}_{file}", "{kind}_{file}_{n}") + STAGE, "a_1"),
    "an unknown key": (HEAD + STAGE.replace("products", "prodcts"), "products"),
    "an unknown level": (HEAD + STAGE.replace('"file"', '"fiel"'), "file"),
    "a cycle": (
        HEAD + STAGE + 'after = ["b"]\n[stage.b]\neach = "file"\ncommand = ["true"]\nafter = ["copy"]\n',
        "b",
    ),
    "after an unknown stage": (HEAD + STAGE + 'after = ["cpoy"]\n', "cpoy"),
    "two tasks with one product": (HEAD + STAGE.replace("{kind}_{file}.txt", "{kind}.txt"), "out/a.txt"),
    "a missing executable": (HEAD + STAGE.replace('"cp"', '"no-such-program"'), "no-such-program"),
    "a function that is not there": (
        HEAD + '[stage.f]\neach = "file"\npython = "steps:no_such"\n',
        "no_such",
    ),
    "a module that is not there": (HEAD + '[stage.f]\neach = "file"\npython = "no_such:f"\n', "no_such"),
    "not TOML": ("[campaign\n", "penstock.toml"),
    "an empty file": ("", "penstock.toml"),
}


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "x"
    (root / "data").mkdir(parents=True)
    for name in ("a_1", "a_2", "b_1", "a_1_1", "a_1_2"):
        (root / "data" / f"{name}.txt").write_text(name)
    (root / "steps.py").write_text("def good(task):\n    pass\n")
    return root


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_it_ends_with_2_and_one_sentence(penstock, folder, case, command):
    text, named = WRONG[case]
    (folder / "penstock.toml").write_text(text)
    shown = penstock(command, "-C", folder)
    assert shown.exit_code == 2, shown.output
    assert shown.stderr.count("\n") == 1
    assert named in shown.stderr
    assert shown.stdout == ""


def test_a_group_stage_under_watch_needs_a_condition(penstock, winter):
    for command in ("watch", "tick", "up"):
        shown = penstock(command, "-C", winter)
        assert (shown.exit_code, "complete" in shown.stderr) == (2, True), command
        assert not (winter / ".penstock/ledger.sqlite").exists(), "nothing is recorded of it"
    shown = penstock("check", "-C", winter)
    assert (shown.exit_code, "note: a stage at level" in shown.output) == (0, True)


@pytest.mark.parametrize("setting", ["nonsense", "stage.cpoy.batch=1", "stage.copy.batch=[", "=1"])
def test_a_wrong_override_ends_with_2_and_one_sentence(penstock, winter, setting):
    shown = penstock("check", "-C", winter, "--set", setting)
    assert (shown.exit_code, shown.stderr.count("\n")) == (2, 1), shown.output


def test_a_command_with_a_typo_stops_at_the_fuse_and_shows_what_it_wrote(penstock, winter):
    for number in range(300):
        (winter / f"data/{number}.txt").write_text("good")
    (winter / "penstock.toml").write_text((winter / "penstock.toml").read_text().replace("cp ", "pc "))
    shown = penstock("run", "-C", winter)
    assert shown.exit_code == 1
    assert "stage 'copy' is paused" in shown.output
    assert "pc: " in shown.output
    assert "penstock retry --stage copy" in shown.output
    assert "! copy is paused" in penstock("status", "-C", winter).output

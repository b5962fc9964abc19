import json


def test_plan_shows_the_commands_and_the_reasons(penstock, winter):
    shown = penstock("plan", "-C", winter)
    assert shown.exit_code == 0
    assert "copy (each file): 3 ready" in shown.output
    assert "out/a.txt" in shown.output
    assert "1 waiting: 3 of 3 members of 'copy' not done yet" in shown.output


def test_plan_writes_nothing(penstock, winter):
    before = sorted(winter.rglob("*"))
    assert penstock("plan", "-C", winter).exit_code == 0
    assert sorted(winter.rglob("*")) == before


def test_plan_json_is_plain_data(penstock, winter):
    data = json.loads(penstock("plan", "-C", winter, "--json").stdout)
    assert [stage["name"] for stage in data["stages"]] == ["copy", "merge"]


def test_plan_of_finished_work_is_nothing_to_do(penstock, ran):
    shown = penstock("plan", "-C", ran)
    assert "copy (each file): 2 done, 1 failed" in shown.output
    assert "error after 2 tries" in shown.output


def test_where_no_file_matches_the_nearest_is_told_and_it_ends_with_2(penstock, winter):
    for file in (winter / "data").iterdir():
        file.rename(file.with_suffix(".dat"))
    for command in ("plan", "run"):
        shown = penstock(command, "-C", winter)
        assert (shown.exit_code, shown.stderr.count("\n")) == (2, 1), command
        assert "data/{file}.txt" in shown.stderr


def test_names_never_drive_the_terminal(penstock, winter):
    (winter / "data/\x1b[31mx\u202e.txt").write_text("good")
    for words in (
        ["plan"],
        ["run"],
        ["status"],
        ["units"],
        ["report"],
        ["jobs", "--all"],
        ["plan", "--json"],
    ):
        shown = penstock(*words, "-C", winter).output
        assert not set(shown) & set("\x1b\u202e"), words

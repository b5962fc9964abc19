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


CLUSTER = """
[site.local]
cores = 2
[site.hpc]
scheduler = "slurm"
"""


def test_plan_says_what_would_happen_here_and_at_a_cluster(penstock, winter):
    text = (winter / "penstock.toml").read_text().replace("[stage.copy]\n", "[stage.copy]\nbatch = 200\n")
    (winter / "penstock.toml").write_text(text + CLUSTER)
    for number in range(997):
        (winter / f"data/{number}.txt").touch()
    lines = penstock("plan", "-C", winter).output.splitlines()
    assert lines[1:4] == [
        "copy (each file): 1,000 ready",
        "  here 2 tasks at once on 2 cores, in batches of about 1 s and at most 200 tasks",
        "  at site hpc 5 array elements of up to 200 tasks",
    ]


def test_plan_says_how_one_task_and_one_core_go(penstock, winter):
    (winter / "data/b.txt").unlink()
    (winter / "data/c.txt").unlink()
    lines = penstock("plan", "-C", winter, "--set", "site.local.cores=1").output.splitlines()
    assert lines[1:3] == ["copy (each file): 1 ready", "  here 1 task at once on 1 core, by itself"]

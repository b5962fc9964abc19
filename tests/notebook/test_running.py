"""Campaigns in a real kernel: shown, interrupted, killed, edited, and defined twice."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.notebook.kernel import Notebook
from tests.until import until

from penstock import record
from penstock.errors import PenstockError
from penstock.unattended.detached import find_holder

SETUP = """
import penstock
from pathlib import Path

for number in range(6):
    Path(f"in/{number}.txt").parent.mkdir(exist_ok=True)
    Path(f"in/{number}.txt").write_text(str(number))
campaign = penstock.Campaign(
    "cells", levels=["file"], units=penstock.files("in/{file}.txt", settle="0s"), sites={"local": {"cores": 2}}
)
"""
SQUARE = """
@campaign.stage(each="file", products="out/{file}.txt")
def square(task: penstock.Task):
    number = int(Path(task.fields["path"]).read_text())
    task.product().write_text(str(number**2))
    return {"square": number**2}
"""
# It does not go on before the test lets it.
HELD = """
import time

@campaign.stage(each="file", products="out/{file}.txt", batch=1)
def square(task: penstock.Task):
    while not Path("go").exists():
        time.sleep(0.02)
    with open("began", "a") as file:
        file.write(f"{task.key[0]}\\n")
    task.product().write_text("done")
    return 1
"""


def test_a_campaign_of_cells_leaves_one_small_output(notebook: Notebook) -> None:
    notebook.run(SETUP)
    assert notebook.run(SQUARE).error == ""
    shown = notebook.run("ending = campaign.run()")
    assert (shown.error, len(shown.displays)) == ("", 1)
    assert "square" in shown.displays[0]["text/html"]
    assert len(json.dumps(shown.displays)) < 4000
    assert notebook.run("(ending.code, ending.lines)").value == "(0, ['all done: 6 tasks'])"
    assert notebook.run("campaign.results('square')['5']").value == "{'square': 25}"
    assert notebook.run("campaign.results('square').to_frame()['square'].sum()").value == "np.int64(55)"
    assert (notebook.folder / "out" / "5.txt").read_text() == "25"
    again = notebook.run("campaign.run()")
    assert "all done" in again.value


def test_a_failed_unit_is_data_with_the_line_of_its_cell(notebook: Notebook) -> None:
    notebook.run(SETUP)
    notebook.run(SQUARE.replace("    return {", "    1 / (number - 3)\n    return {"))
    assert notebook.run("campaign.run().code").value == "1"
    shown = notebook.run(
        "[failure] = campaign.results('square').failed; print(failure.unit, failure.log)"
    ).printed
    assert shown.startswith("3 ")
    assert "ZeroDivisionError" in shown
    assert "(cell In[2], line 5)" in shown


def test_a_stage_that_was_paused_shows_its_failures_with_the_line_of_the_cell(notebook: Notebook) -> None:
    notebook.run(SETUP)
    notebook.run(SQUARE.replace("    return {", "    1 / 0\n    return {"))
    shown = notebook.run("ending = campaign.run(); print(*ending.lines, sep='\\n')").printed
    assert "stage 'square' is paused" in shown
    assert "(cell In[2], line 5)" in shown
    failed = notebook.run("campaign.results('square').failed").value
    assert "failed: ZeroDivisionError: division by zero" in failed
    assert "(cell In[2], line 5)" in notebook.run("campaign.results('square').failed[0]").value
    notebook.run(SQUARE)
    assert notebook.run("campaign.run().code").value == "0"
    assert notebook.run("campaign.results('square').failed").value == "none failed"


def test_what_is_wrong_is_one_sentence_about_the_cells(notebook: Notebook) -> None:
    notebook.run(SETUP)
    said = notebook.run("campaign.results('square')")
    assert said.error.endswith(": start with `campaign.run()`")
    assert said.lines == [said.error]
    assert notebook.run("campaign.run()").error.startswith("DefinitionError: the definition has no stage")
    notebook.run(SQUARE.replace('each="file"', 'each="fiel"'))
    said = notebook.run("campaign.run()")
    assert said.error.startswith("DefinitionError: there is no level 'fiel'")
    assert len(said.lines) == 1
    notebook.run("campaign.tables['units']['files'] = 'nothing/{file}.txt'")
    notebook.run(SQUARE)
    shown = notebook.run("campaign.run()")
    assert shown.error.partition(": ")[2].startswith("no files match 'nothing/{file}.txt'")
    assert shown.displays[0]["text/plain"] == "cells: not started"


def test_every_object_is_shown_as_what_it_is(notebook: Notebook) -> None:
    notebook.run(SETUP)
    notebook.run(SQUARE.replace("    return {", "    1 / (number - 3)\n    return {"))
    notebook.run("campaign.run()")
    notebook.run(
        "from penstock import record\nresults = campaign.results('square')\nopened = record.open('.')"
    )
    for shown, told in (
        ("campaign", "square  file  square  out/{file}.txt"),
        ("campaign.freeze()", "the campaign 'cells' in "),
        ("campaign.status()", "square  file"),
        ("campaign.run()", "1 task failed"),
        ("results", "5: {'square': 25}"),
        ("results[0]", "value: {'square': 0}"),
        ("results.failed", "3 failed: error after 2 tries"),
        ("results.failed[0]", "ZeroDivisionError"),
        ("opened", "square  file"),
        ("next(opened.tasks('square'))", "state: done"),
    ):
        cell = notebook.run(shown)
        assert told in cell.value, shown
        assert len(cell.html) < 5000, shown
        assert "<" in cell.html or "the campaign" in cell.html, shown


def test_a_cell_that_was_edited_runs_again_for_what_failed_and_what_is_stale(notebook: Notebook) -> None:
    notebook.run(SETUP)
    notebook.run(SQUARE.replace("    return {", "    1 / (number - 3)\n    return {"))
    notebook.run("campaign.run()")
    notebook.run(SQUARE)
    assert notebook.run("ending = campaign.run(stale=True); ending.code").value == "0"
    assert notebook.run("len(campaign.results('square'))").value == "6"


def test_an_interrupt_ends_the_showing_only_and_the_cell_again_shows_the_work(notebook: Notebook) -> None:
    notebook.run(SETUP)
    notebook.run(HELD)
    sent = notebook.send("campaign.run()")
    until(lambda: find_holder(notebook.folder), "it is at work")
    until(lambda: running(notebook.folder), "tasks run")
    notebook.interrupt()
    notebook.interrupt()
    shown = notebook.collect(sent)
    assert shown.error.startswith("Detached: no longer shown; the work goes on")
    assert len(shown.displays) == 1
    holder = find_holder(notebook.folder)
    assert holder
    sent = notebook.send("campaign.run().code")
    (notebook.folder / "go").touch()
    shown = notebook.collect(sent)
    assert (shown.error, shown.value, len(shown.displays)) == ("", "0", 1)
    assert begun(notebook.folder) == list("012345")


def working_in(folder: Path) -> list[psutil.Process]:
    """Return the processes that work on a campaign; its kernel is none."""
    found = list[psutil.Process]()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if str(folder) in " ".join(words) and "ipykernel_launcher" not in words:
                found.append(process)
    return found


def test_interrupts_at_any_moment_leave_one_conductor_and_a_kernel_that_works(notebook: Notebook) -> None:
    notebook.run(SETUP)
    cell = f"{HELD}\ncampaign.run()"  # it is defined, frozen, begun and watched
    for wait_s in (0.0, 0.02, 0.04, 0.08, 0.2, 0.5, 0.5, 1.0, 1.5):
        shown = notebook.interrupt_twice(notebook.send(cell), wait_s)
        assert shown.error.split(":")[0] in ("", "KeyboardInterrupt", "Detached")
        assert len(shown.displays) <= 1
        assert notebook.run("1 + 1").value == "2"
    (notebook.folder / "go").touch()
    shown = notebook.run(f"{HELD}\ncampaign.run().code")
    assert (shown.error, shown.value, len(shown.displays)) == ("", "0", 1)
    assert begun(notebook.folder) == list("012345")
    assert notebook.run("len(campaign.results('square'))").value == "6"
    until(lambda: not working_in(notebook.folder), "nothing is left")


def test_a_cell_that_runs_again_at_once_shows_the_conductor_that_it_began(notebook: Notebook) -> None:
    notebook.run(SETUP)
    notebook.run(HELD)
    notebook.run("from penstock.notebook import running\nrunning.find_holder = lambda root: None")  # not yet
    sent = notebook.send("campaign.run()")
    until(lambda: running(notebook.folder), "tasks run")
    notebook.interrupt()
    notebook.collect(sent)
    notebook.run("from penstock.unattended.detached import find_holder")
    notebook.run(
        "asked = []\nrunning.find_holder = lambda root: asked.append(1) or len(asked) > 1 and find_holder(root)"
    )
    sent = notebook.send("campaign.run().code")
    (notebook.folder / "go").touch()
    shown = notebook.collect(sent)
    assert (shown.error, shown.value, len(shown.displays)) == ("", "0", 1)
    assert begun(notebook.folder) == list("012345")


@pytest.mark.parametrize("look_away", ["interrupt", "kill"])
def test_the_work_goes_on_when_nobody_waits_for_its_first_turn(
    start: Callable[[], Notebook], look_away: str
) -> None:
    notebook = start()
    notebook.run(SETUP)
    notebook.run(SQUARE)
    sent = notebook.send("campaign.run()")
    until(lambda: find_holder(notebook.folder), "it is at work")
    if look_away == "kill":
        os.kill(notebook.pid, signal.SIGKILL)
    else:
        notebook.interrupt()
        notebook.interrupt()
        shown = notebook.collect(sent)
        assert (shown.error[:8], len(shown.displays)) == ("Detached", 1)
    until(lambda: not find_holder(notebook.folder), "all is done")
    assert len(list((notebook.folder / "out").iterdir())) == 6


def test_a_killed_kernel_stops_nothing(start: Callable[[], Notebook]) -> None:
    notebook = start()
    notebook.run(SETUP)
    notebook.run(HELD)
    notebook.send("campaign.run()")
    until(lambda: running(notebook.folder), "tasks run")
    os.kill(notebook.pid, signal.SIGKILL)
    (notebook.folder / "go").touch()
    until(lambda: not find_holder(notebook.folder), "all is done")
    assert begun(notebook.folder) == list("012345")
    again = start()
    again.run(SETUP)
    again.run(HELD)
    assert again.run("campaign.run().code").value == "0"
    assert again.run("len(campaign.results('square'))").value == "6"
    assert begun(notebook.folder) == list("012345")


def test_an_edited_cell_takes_the_place_of_what_is_at_work(notebook: Notebook) -> None:
    notebook.run(SETUP)
    notebook.run(HELD)
    sent = notebook.send("campaign.run()")
    until(lambda: running(notebook.folder), "tasks run")
    notebook.interrupt()
    notebook.collect(sent)
    (notebook.folder / "go").touch()
    notebook.run(SQUARE)
    assert notebook.run("campaign.run(stale=True).code").value == "0"
    assert notebook.run("campaign.results('square')['5']").value == "{'square': 25}"


def test_two_kernels_with_two_definitions_are_told(start: Callable[[], Notebook]) -> None:
    first, second = start(), start()
    for notebook, cell in ((first, SQUARE), (second, SQUARE.replace("**2", "**3"))):
        notebook.run(SETUP)
        notebook.run(cell)
    assert first.run("campaign.run().code").value == "0"
    assert f"the notebook of process {first.pid} on" in second.run("campaign.run()").error
    second.run(SQUARE)
    assert second.run("campaign.run().code").value == "0", "the same definition is the same campaign"
    first.end()
    second.run(SQUARE.replace("**2", "**3"))
    assert second.run("campaign.run().code").value == "0"


def test_a_folder_with_a_definition_of_its_own_is_refused(notebook: Notebook) -> None:
    (notebook.folder / "penstock.toml").write_text("")
    notebook.run(SETUP)
    notebook.run(SQUARE)
    assert (
        "give the one of the notebook a folder of its own, with root=" in notebook.run("campaign.run()").error
    )


def test_units_from_a_table_of_pandas(notebook: Notebook) -> None:
    notebook.run(
        """
        import pandas, penstock
        runs = pandas.DataFrame({"run": [3, 1, 2], "gain": [1.5, 2.5, 3.5], "name": ["a", "b, c", "Mrk 421"]})
        campaign = penstock.Campaign("frame", levels=["run"], units=penstock.table(runs))

        @campaign.stage(each="run")
        def double(task: penstock.Task):
            return {"twice": 2 * task.fields["gain"], "name": task.fields["name"]}
        """
    )
    assert notebook.run("campaign.run().code").value == "0"
    assert notebook.run("campaign.results('double')['2']").value == "{'twice': 7.0, 'name': 'Mrk 421'}"


def test_cells_that_have_a_file_around_them_as_those_of_marimo(notebook: Notebook) -> None:
    notebook.run("__file__ = 'analysis.py'")
    notebook.run(SETUP)
    notebook.run("class Power:\n    def of(self, number):\n        return number**2")
    for _ in range(2):
        shown = notebook.run(SQUARE.replace('{"square": number**2}', '{"square": Power().of(number)}'))
        assert shown.error == ""
    assert notebook.run("campaign.run().code").value == "0"
    assert notebook.run("campaign.results('square')['5']").value == "{'square': 25}"


def test_a_series_and_results_are_tables_too(notebook: Notebook) -> None:
    notebook.run(
        """
        import pandas, penstock
        gains = pandas.Series([1.5, 2.5], index=pandas.Index(["x", "y"], name="run"), name="gain")
        campaign = penstock.Campaign("gains", levels=["run"], units=gains)

        @campaign.stage(each="run")
        def double(task):
            return {"twice": 2 * task.fields["gain"]}
        """
    )
    assert notebook.run("campaign.run().code").value == "0"
    assert notebook.run("campaign.results('double')['y']").value == "{'twice': 5.0}"
    again = notebook.run(
        "penstock.Campaign('more', levels=['run'], units=campaign.results('double').to_frame(), root='more')"
    )
    assert again.value.startswith("more: run, in ")


def test_units_from_a_function_that_reads_an_array(notebook: Notebook) -> None:
    notebook.run(
        """
        import numpy as np, penstock
        first = np.array([3, 5])

        def runs():
            for number in first:
                yield {"run": int(number)}

        campaign = penstock.Campaign("made", levels=["run"], units=penstock.function(runs, types={"run": "int"}))

        @campaign.stage(each="run")
        def double(task):
            return 2 * task.key[0]
        """
    )
    assert notebook.run("campaign.run().code").value == "0"
    assert notebook.run("campaign.results('double')['5']").value == "10"


def test_new_units_are_worked_on_while_others_are_still_made(notebook: Notebook) -> None:
    notebook.run(
        """
        import time
        from pathlib import Path
        import penstock

        for name in ("fast", "slow"):
            Path(f"{name}.txt").touch()
        campaign = penstock.Campaign(
            "regions", levels=["source", "roi"], units={"source": penstock.files("{source}.txt", settle="0s")},
            sites={"local": {"cores": 2}},
        )

        @campaign.stage(each="source", expands="roi", batch=1)
        def tessellate(task):
            while task.key[0] == "slow" and not Path("inferred").exists():
                time.sleep(0.02)  # for ever, if what the other one made had to wait for this one
            for number in range(2):
                task.expand(roi=number, cells=10 * number)

        @campaign.stage(each="roi", after=["tessellate"])
        def infer(task):
            Path("inferred").touch()
            return task.fields["cells"]
        """
    )
    assert notebook.run("campaign.run().code").value == "0"
    shown = notebook.run("{row.unit: row.value for row in campaign.results('infer')}")
    assert shown.value == "{'fast/0': 0, 'fast/1': 10, 'slow/0': 0, 'slow/1': 10}"


@pytest.mark.parametrize("command", [["status"], ["run"], ["why", "5"]])
def test_the_shell_sees_the_same_campaign(notebook: Notebook, command: list[str]) -> None:
    notebook.run(SETUP)
    notebook.run(SQUARE)
    notebook.run("campaign.run()")
    words = [sys.executable, "-m", "penstock", *command, "-C", str(notebook.folder)]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr


def running(folder: Path) -> list[str]:
    with suppress(PenstockError), record.open(folder) as opened:
        return [task.unit for task in opened.tasks("square", state="running")]
    return []


def begun(folder: Path) -> list[str]:
    return sorted((folder / "began").read_text().split())


SQUARED = SQUARE.replace("def square(", "def squared(")
VSCODE = "vscode-notebook-cell:/home/ada/analysis.ipynb#W1sZmlsZQ%3D%3D"  # how VS Code calls a cell


@pytest.mark.parametrize("id", ["0f9c8d1e", VSCODE], ids=["JupyterLab", "VS Code"])
def test_a_stage_that_got_another_name_in_its_cell_takes_the_place_of_the_old_one(
    notebook: Notebook, id: str
) -> None:
    notebook.run(SETUP)
    notebook.run(SQUARE, id=id)
    assert notebook.run("campaign.run().code").value == "0"
    assert notebook.run(SQUARED, id=id).error == ""
    assert notebook.run("campaign.run().lines").value == "['all done: 6 tasks']"
    assert notebook.run("sorted(campaign.tables['stage'])").value == "['squared']"
    assert notebook.run("campaign.results('squared')['5']").value == "{'square': 25}"


def test_two_stages_of_one_cell_stay(notebook: Notebook) -> None:
    notebook.run(SETUP)
    for _ in range(2):
        notebook.run(SQUARE + SQUARED.replace("out/", "out2/"), id="a")
    assert notebook.run("sorted(campaign.tables['stage'])").value == "['square', 'squared']"


def test_where_nobody_tells_which_cell_it_is_a_renamed_stage_can_be_removed(notebook: Notebook) -> None:
    notebook.run(SETUP)
    notebook.run(SQUARE)
    notebook.run(SQUARED)
    assert "campaign.remove('square')" in notebook.run("campaign.freeze()").error
    notebook.run("campaign.remove('square')")
    assert notebook.run("campaign.run().code").value == "0"

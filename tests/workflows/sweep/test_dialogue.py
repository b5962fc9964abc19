"""`penstock sweep new` at a terminal, as a person uses it."""

import os
import signal

import pytest
from tests.workflows.sweep.terminal import answer, at_terminal, finish

from penstock.workflows.sweep import plan_sweep, read_sweep

MENU = "A number or a letter"


def begin(bench, *answers: tuple[str, str]):
    """Begin a sweep of the bench's program and answer questions."""
    program = at_terminal(bench.folder, "sweep", "new", ".")
    told = answer(program, "Number or name of the program", "5")
    assert "model: model, 8 variables" in told
    for question, text in answers:
        answer(program, question, text)
    return program


def test_a_program_is_chosen_by_its_name_too(bench) -> None:
    program = at_terminal(bench.folder, "sweep", "new", ".")
    answer(program, "Number or name of the program", "modell")
    program.expect_exact("'modell' is none of 1, 2, 3, 4, 5")
    answer(program, "Number or name of the program", "model")
    program.expect_exact("A sweep of model in .")


def test_a_whole_sweep_is_what_a_person_would_have_written(bench) -> None:
    program = begin(
        bench,
        (MENU, "1"), ("How", "s"), ("From", "0.1"), ("To", "0.3"), ("By steps of", "0.1"),
        (MENU, "low"), ("How", "l"), ("Values", "3, 5"),
        (MENU, "lattice"), ("How", "a"),
        (MENU, "label"), ("How", "f"), ("Value", "a b"),
        (MENU, "fast"), ("How", "f"), ("Value", "false"),
        (MENU, "c"), ("A condition", "low < 5 or lattice == 'cairo'"), ("A condition", ""),
        (MENU, "d"), ("NAME = EXPRESSION", "p = 1 / T"),
        (MENU, "r"), ("How many repeats", "2"),
    )  # fmt: skip
    told = answer(program, MENU, "w")
    assert "24 points of model, 12 more do not meet the conditions" in told, told
    answer(program, "Write sweep.toml", "y")
    answer(program, "Write the inputs", "n")
    assert finish(program)[0] == 0
    assert (bench.folder / "sweep.toml").read_text() == (
        '[sweep]\nprogram = "model"\nwhere = ["low < 5 or lattice == \'cairo\'"]\nrepeat = 2\n\n'
        '[vary]\nT = { start = 0.1, stop = 0.3, step = 0.1 }\nlow = [3, 5]\nlattice = "all"\n\n'
        '[set]\nlabel = "a b"\nfast = false\n\n[derive]\np = "1 / T"\n'
    )
    assert len(plan_sweep(read_sweep(bench.folder / "sweep.toml")).rows) == 24
    assert not (bench.folder / "sweep.draft.toml").exists()


def test_a_bad_answer_says_why_and_is_asked_again(bench) -> None:
    program = begin(bench)
    for text, why in (
        ("x", "neither a variable's number, 1 to 8"), ("9", "neither"), ("", "neither"),
    ):  # fmt: skip
        answer(program, MENU, text)
        program.expect_exact(why)
    answer(program, MENU, "T")
    answer(program, "How", "a")
    program.expect_exact("is none of l, s, n, g, f, x")
    answer(program, "How", "")
    for text, why in (
        ("1, 0", "0 is not above 0"), ("warm", "'warm' is not a number"), ("1, 1.0", "are the same value"),
        ("", "the list is empty"),
    ):  # fmt: skip
        answer(program, "Values", text)
        program.expect_exact(why)
    answer(program, "Values", "1E-07, 2")
    answer(program, MENU, "q")
    finish(program)
    assert "T = [1E-07, 2]" in (bench.folder / "sweep.draft.toml").read_text()


def test_ctrl_c_leaves_a_question_then_the_dialogue_and_nothing_is_lost(bench) -> None:
    program = begin(bench, (MENU, "T"), ("How", "l"), ("Values", "1, 2"), (MENU, "p"))
    answer(program, MENU, "T")
    answer(program, "How", "s")
    answer(program, "From", "5")
    program.expect_exact("To: ")
    program.sendintr()
    program.expect_exact("nothing changed")
    program.expect_exact(MENU)
    program.expect(": ")  # before that nobody listens yet
    program.sendintr()
    code, told = finish(program)
    assert code == 0
    assert "kept in sweep.draft.toml; go on with: penstock sweep new ." in told
    again = at_terminal(bench.folder, "sweep", "new", ".")
    told = answer(again, MENU, "w")
    assert "going on with the sweep" in told
    assert "varies: 1, 2" in told
    answer(again, "Write sweep.toml", "y")
    answer(again, "Write the inputs", "y")
    answer(again, "Run them now", "n")
    assert finish(again)[0] == 0
    assert len(list(bench.folder.glob("inputs/*"))) == 2


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGHUP])
def test_a_terminal_that_goes_away_loses_no_answer(bench, end: signal.Signals) -> None:
    program = begin(bench, (MENU, "T"), ("How", "n"), ("From", "1"), ("To", "2"), ("How many", "3"))
    program.expect_exact(MENU)
    os.kill(program.pid, end)
    finish(program)
    assert "T = { start = 1, stop = 2, count = 3 }" in (bench.folder / "sweep.draft.toml").read_text()


def test_the_modes_ask_for_what_they_need(bench) -> None:
    program = begin(
        bench,
        (MENU, "m"), ("Mode", "latin"), ("How many points", "7"), ("Seed", ""),
        (MENU, "T"), ("How", "d"), ("From", "0.1"), ("Scale", "log"), ("To", "0.05"),
    )  # fmt: skip
    program.expect_exact("nothing can be drawn between 0.1 and 0.05")
    answer(program, "To", "10")
    assert "7 points of model" in answer(program, MENU, "m")
    answer(program, "Mode", "nested")
    for question, text in (
        (MENU, "T"), ("How", "x"),
        (MENU, "low"), ("How", "l"), ("Values", "3, 4"),
        (MENU, "high"), ("How", "s"), ("From", "low + 1"), ("To", "6"), ("By", "1"),
        (MENU, "w"), ("Write sweep.toml", "y"), ("Write the inputs", "n"),
    ):  # fmt: skip
        answer(program, question, text)
    assert finish(program)[0] == 0
    rows = plan_sweep(read_sweep(bench.folder / "sweep.toml")).rows
    assert [tuple(value.plain for value in row) for row in rows] == [(3, 4), (3, 5), (3, 6), (4, 5), (4, 6)]


def test_a_variable_that_is_called_like_a_letter_is_chosen_by_its_number(bench) -> None:
    program = begin(bench, (MENU, "2"), ("How", "l"), ("Values", "7, 8"))
    assert "2 points of model" in answer(program, MENU, "p")
    assert "p = 7" in answer(program, MENU, "q")
    finish(program)


def test_a_sweep_that_is_there_is_changed_and_one_with_comments_is_left_alone(bench) -> None:
    file = bench.sweep("[vary]\nT = [1, 2]\nlow = [3, 4]")
    program = at_terminal(bench.folder, "sweep", "new", ".")
    answer(program, MENU, "t")
    answer(program, "Names", "T, hgh")
    program.expect_exact("hgh")
    for question, text in (
        ("Names", "T, low"), (MENU, "w"), ("Write sweep.toml", "y"), ("Write the inputs", "n"),
    ):  # fmt: skip
        answer(program, question, text)
    finish(program)
    assert 'together = [["T", "low"]]' in file.read_text()
    bench.sweep('[set]\nlabel = "a # b"\n[vary]\nT = [1, 2]  # kelvin')
    code, told = finish(at_terminal(bench.folder, "sweep", "new", "."))
    assert code == 2
    assert "has comments, which would be lost" in told


def test_without_a_folder_it_is_asked_for_and_the_end_of_input_leaves(bench) -> None:
    program = at_terminal(bench.folder, "sweep", "new")
    answer(program, "Folder of the sweep", "")
    program.expect_exact("name a folder")
    program.sendeof()
    assert finish(program)[0] == 0


def test_a_program_of_this_folder_is_copied_to_a_new_sweep_with_what_it_needs(bench) -> None:
    bench.ready()
    program = at_terminal(bench.folder, "sweep", "new", "deep/heat")
    answer(program, "Number or name of the program", "5")
    program.expect_exact("copied model and what it needs to deep/heat")
    for question, text in (
        (MENU, "T"), ("How", "l"), ("Values", "5"), (MENU, "w"), ("Write deep/heat/sweep.toml", "y"),
        ("Write the inputs", "y"), ("Run them now", "n"),
    ):  # fmt: skip
        answer(program, question, text)
    assert finish(program)[0] == 0
    folder = bench.folder / "deep/heat"
    made = sorted(path.relative_to(folder).as_posix() for path in folder.glob("**/*"))
    assert {"model", "programs/in.txt", "programs/model.toml"} <= set(made)
    assert os.access(folder / "model", os.X_OK)

"""The files of programs and sweeps: what is wrong is told with its file and line."""

import re
from pathlib import Path

import pytest

from penstock.errors import DefinitionError
from penstock.workflows.sweep import find_program, read_program
from penstock.workflows.sweep.program import READY

FAULTS = [
    ('mode = "grit"', 3, "the mode 'grit' is unknown"),
    ("[vary]\nTT = [1]", 4, r"\[vary\] names 'TT', which is unknown; did you mean 'T'\?"),
    ("[vary]\nT = 1", 4, r"T: 1 is neither a list.*\[set\]"),
    ("[vary]\nT = []", 4, "the list is empty"),
    ("[vary]\nT = [1, 1.0]", 4, "T: '1' and '1.0' are the same value; remove one"),
    ("[vary]\nT = [-1]", 4, "T: -1 is not above 0"),
    ("[vary]\nlow = [9, 10]", 4, "low: 10 is not at most 9"),
    ("[vary]\nlow = [2.0]", 4, "low: '2.0' is not a whole number"),
    ("[vary]\nlow = { start = 1, stop = 2, count = 5 }", 4, "low: '1.25' is not a whole number"),
    ("[vary]\nlow = { start = 1, stop = 20, step = 1 }", 4, "low: 10 is not at most 9"),
    ("[vary]\nlow = { start = 1, step = 1 }", 4, "low: a range has no stop"),
    ("[vary]\nlow = { start = 1, stop = 2, step = 1, count = 2 }", 4, "either a step or a count"),
    ("[vary]\nlow = { start = 1, stop = 2, steps = 1 }", 4, "'steps' is unknown in a range"),
    ('[vary]\nlow = { start = 1, stop = "high", step = 1 }', 4, "only a nested sweep takes expressions"),
    ('[vary]\nlattice = ["hexagon"]', 4, "lattice: 'hexagon' is not one of square, cairo, mixed"),
    ('[vary]\nlabel = "all"', 4, "label has no choices"),
    ("[vary]\nfast = [2]", 4, "fast: '2' is not true or false"),
    ("[vary]\nT = [nan]", 4, "T: 'nan' is not a number"),
    ('[vary]\nT = ["1:2:0.5"]', 4, "T: '1:2:0.5' is not a number; a range is written { start = 0.1, "),
    ("[set]\nT = 0", 4, "T: 0 is not above 0"),
    ("[set]\nT = 2\n[vary]\nT = [1, 2]", 6, "T is set twice"),
    ('where = ["low <"]', 3, "cannot be read"),
    ('where = ["lou < high"]', 3, "'lou', which is unknown; did you mean 'low'"),
    ('where = ["low.real < 1"]', 3, "is not allowed"),
    ('[derive]\nT = "high"\nhigh = "low + 1"', 4, "T needs high, which is derived later"),
    ("repeat = 0", 3, "repeat, a number from 1"),
    ("repeat = 2\n[vary]\nseed = [1]", 3, r"seed is in \[vary\], too"),
    ('mode = "random"', 3, "needs draws = N"),
    ("draws = 4", 3, "draws are for the modes"),
    ('mode = "table"', 3, "go together"),
    ("[varry]\nT = [1]", 3, "'varry' is unknown; did you mean 'vary'"),
    ("[vary]\nT = [1, 2]\nlow = [1, 2, 3]\n[sweep2]", 6, "unknown"),
    ('mode = "zip"\n[vary]\nT = [1, 2]\nlow = [1, 2, 3]', 5, "T has 2, low has 3"),
    ('where = ["low > 5"]\n[vary]\nlow = [1, 2]', 3, "none of the 2 points is left"),
]


@pytest.mark.parametrize(("text", "line", "why"), FAULTS)
def test_a_fault_of_a_sweep_is_told_with_its_line(bench, text: str, line: int, why: str) -> None:
    with pytest.raises(DefinitionError, match=why) as told:
        bench.plan(text)
    assert (told.value.file, told.value.line) == (bench.folder / "sweep.toml", line)


PROGRAM_FAULTS = [
    ('[program]\nexecutable = "m"\n[result.E]\ncolumn = 1', 3, r"\[result.E\] has no file"),
    ('[program]\nexecutable = "m"\n[result.E]\nfile = "x"', 4, "one of column, regex and json"),
    ('[program]\nexecutable = "m"\n[result.E]\nfile = "x"\ncolumn = 0', 5, "counted from 1"),
    ('[program]\nexecutable = "m"\n[result.E]\nfile = "x"\nregex = "("', 5, "not a regular expression"),
    ('[program]\nexecutable = "m"\ncore_hours = "1h"', 3, "'1h' is not a number"),
    ("[program]\n[variable.T]", 1, r"\[program\] has no executable"),
    ('[program]\nexecutable = "m"\nexecutible = "n"', 3, "did you mean 'executable'"),
    ('[program]\nexecutable = "m"\nseed = "s"', 3, "s is not one of the variables"),
    ('[program]\nexecutable = "m"\narguments = ["{U}"]', 3, "'U', which is unknown"),
    ('[program]\nexecutable = "m"\ndelimiters = ["<<"]', 3, "delimiters are two texts"),
    ('[program]\nexecutable = "m"\ndelimiters = ["x", "y"]', 3, "delimiters are two texts"),
    ('[program]\nexecutable = "m"\n[input."../in.txt"]', 3, "leaves the folder"),
    ('[program]\nexecutable = "m"\n[input."/etc/passwd"]', 3, "leaves the folder"),
    ('[program]\nexecutable = "m"\n[input."no.txt"]', 3, "cannot be read: No such file"),
    ('[program]\nexecutable = "m"\n[variable.T]\ntype = "double"', 4, "the type 'double' is unknown"),
    ('[program]\nexecutable = "m"\n[variable.T]\ntype = "choice"', 3, "a choice has choices"),
    ('[program]\nexecutable = "m"\n[variable.T]\nmin = 2\ndefault = 1', 5, "T: 1 is not at least 2"),
    ('[program]\nexecutable = "m"\n[variable.T]\nformat = "s"', 4, "format"),
    ('[program]\nexecutable = "m"\n[variable."a b"]\n', 3, "is not a name"),
    ('[program]\nexecutable = "m"\n[variable.path]\n', 3, "has a meaning of its own"),
    ('[program]\nexecutable = "m"\n[variable.T]\nplace = { line = 1, json = "/T" }', 4, "in which input"),
    ('[program]\nexecutable = "m"\n[variable.T]\nplace = { input = "x", line = 1 }', 4, "which is no input"),
    (
        '[program]\nexecutable = "m"\n[input."in.txt"]\n[variable.T]\nplace = { line = 1, json = "/T" }',
        5,
        "one of line, json and",
    ),
    (
        '[program]\nexecutable = "m"\n[input."in.txt"]\n[variable.T]\nplace = { line = 1, word = 0 }',
        5,
        "counted from 1",
    ),
]


@pytest.mark.parametrize(("text", "line", "why"), PROGRAM_FAULTS)
def test_a_fault_of_a_program_is_told_with_its_line(tmp_path: Path, text: str, line: int, why: str) -> None:
    (tmp_path / "in.txt").write_text("1\n")
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(DefinitionError, match=why) as told:
        read_program(tmp_path / "m.toml")
    assert (told.value.file, told.value.line) == (tmp_path / "m.toml", line)


def test_what_is_not_toml_or_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("\nx = [1,,2]\n")
    with pytest.raises(DefinitionError, match=r"m\.toml:2: this is not TOML: "):
        read_program(tmp_path / "m.toml")
    with pytest.raises(DefinitionError, match="does not exist"):
        read_program(tmp_path / "n.toml")
    for text in (f"x = {'9' * 5000}", f"x = {'[' * 5000}"):
        (tmp_path / "m.toml").write_text(text)
        with pytest.raises(DefinitionError, match="this is not TOML"):
            read_program(tmp_path / "m.toml")


def test_a_program_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=re.escape("ising, netmc, netmc_pores, triangle_raft")):
        find_program("netmk", tmp_path)


def test_an_own_program_comes_before_a_ready_made_one(tmp_path: Path) -> None:
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs/netmc.toml").touch()
    assert find_program("netmc", tmp_path) == tmp_path / "programs/netmc.toml"
    assert find_program("ising", tmp_path) == READY / "ising.toml"


@pytest.mark.parametrize("name", ["netmc", "triangle_raft", "netmc_pores", "ising"])
def test_a_ready_made_program_leaves_its_input_as_it_is(name: str) -> None:
    program = read_program(READY / f"{name}.toml")
    (given,) = program.inputs
    assert program.defaults().keys() == program.variables.keys()
    assert program.render(program.defaults()) == {given.name: given.file.read_bytes()}


def test_what_makes_netmc_die_or_never_end_is_out_of_bounds() -> None:
    variables = read_program(READY / "netmc.toml").variables
    for name in ("structure_write_frequency", "tolerance"):
        with pytest.raises(ValueError, match="is not above 0"):
            variables[name].read(0)


def test_the_pair_on_a_line_is_two_variables() -> None:
    program = read_program(READY / "triangle_raft.toml")
    values = program.defaults()
    values["upper_ring_size_limit"] = program.variables["upper_ring_size_limit"].read(12)
    values["seed_size"] = program.variables["seed_size"].read("./seed/25")
    before, after = (program.render(v)["mx2.inpt"].splitlines() for v in (program.defaults(), values))
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [
        (b"./seed/6     input prefix", b"./seed/25     input prefix"),
        (b"4 10         basic ring size limits", b"4 12         basic ring size limits"),
    ]


def test_several_inputs_and_arguments_have_their_values(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"T": 1, "s": "{T}"}')
    (tmp_path / "b.in").write_text("velocity ${T} @T@\n")
    (tmp_path / "lammps.toml").write_text(
        '[program]\nexecutable = "lmp"\narguments = ["-var", "T", "@T@"]\ndelimiters = ["@", "@"]\n'
        '[input."a.json"]\n[input."b.in"]\n'
        '[variable.T]\nplace = { input = "a.json", json = "/T" }\n'
    )
    program = read_program(tmp_path / "lammps.toml")
    values = {"T": program.variables["T"].read("1E-07")}
    assert program.render(values) == {"a.json": b'{"T": 1E-07, "s": "{T}"}', "b.in": b"velocity ${T} 1E-07\n"}
    assert program.argv(values) == ["lmp", "-var", "T", "1E-07"]

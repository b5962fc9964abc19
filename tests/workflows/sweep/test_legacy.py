"""Templates of Batch-Manager become programs."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from penstock.errors import DefinitionError
from penstock.workflows.sweep import find_program, plugin, read_program
from penstock.workflows.sweep.legacy import import_template, write_program

HEAD = "Line Number,Value,Is Var?,Table-Relevant?,Name,Type,Names,Allowed Values\n"
ROWS = """1,I/O,False,False,None,str,None,None
2,./start/12,True,True,Start Size,int/str,None,>3
3,dashes,False,False,None,str,None,None
4,1E-09,True,True,Tolerance (kJ),float,None,>0
5,0.0     1.5,True,True,Bond (k and r0),dual float,Bond Constant;Bond Length,>0;>0
6,0       1,True,True,Optimise,dual bool,Before;After,0;1
7,hexagonal,True,True,Lattice,str,None,hexagonal;square
8,name,True,False,Tolerance,str,None,None
"""


def imported(folder: Path, rows: str = ROWS):
    (folder / "old.csv").write_text(HEAD + rows)
    return import_template(folder / "old.csv", "raft", input_name="raft.inpt")


def test_a_template_becomes_a_program_with_the_same_input(tmp_path: Path) -> None:
    made = imported(tmp_path)
    program = read_program(write_program(tmp_path / "programs", "raft", made, input_name="raft.inpt"))
    assert [*program.variables] == [
        "start_size", "tolerance", "bond_constant", "bond_length", "before", "after", "lattice", "tolerance_2",
    ]  # fmt: skip
    assert program.render(program.defaults())["raft.inpt"].decode() == made.input
    assert made.input.splitlines()[1:5] == ["./start/12", "-" * 50, "1E-09", "0.0     1.5"]
    assert program.variables["tolerance"].unit == "kJ"


def test_what_varies_is_one_word_of_its_line(tmp_path: Path) -> None:
    file = write_program(tmp_path / "programs", "raft", imported(tmp_path), input_name="raft.inpt")
    program = read_program(file)
    read = {name: variable.read for name, variable in program.variables.items()}
    values = program.defaults() | {
        "start_size": read["start_size"](25),
        "bond_length": read["bond_length"]("2.25"),
        "before": read["before"](True),
    }
    lines = program.render(values)["raft.inpt"].decode().splitlines()
    assert (lines[1], lines[4], lines[5]) == ("./start/25", "0.0     2.25", "1       1")


def test_a_bound_that_the_value_breaks_includes_it_and_that_is_said(tmp_path: Path) -> None:
    made = imported(tmp_path)
    assert made.notes == ["Bond Constant may be 0, which is its own value, although the template says >0"]
    program = read_program(write_program(tmp_path / "programs", "raft", made, input_name="raft.inpt"))
    assert program.variables["bond_constant"].read(0).plain == 0
    with pytest.raises(ValueError, match="-1 is not at least 0"):
        program.variables["bond_constant"].read(-1)
    with pytest.raises(ValueError, match="0 is not above 0"):
        program.variables["bond_length"].read(0)


@pytest.mark.parametrize(
    ("rows", "line", "why"),
    [
        ("2,x,False,False,None,str,None,None\n", 2, "should be line number 1"),
        ("1,x\n", 2, "with eight cells"),
        ("1,3 4 5,True,True,Sizes,dual int,Low;High,>3;>3\n", 2, "cannot be imported"),
        ("1,3,True,True,Size,complex,None,None\n", 2, "cannot be imported"),
    ],
)
def test_a_template_that_is_damaged_is_told_with_its_line(
    tmp_path: Path, rows: str, line: int, why: str
) -> None:
    with pytest.raises(DefinitionError, match=why) as told:
        imported(tmp_path, rows)
    assert told.value.line == line


def test_the_command_imports_and_tells_what_it_changed(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text(HEAD + ROWS)
    words = ["import", str(tmp_path / "old.csv"), str(tmp_path), "--name", "raft", "--input", "raft.inpt"]
    done = CliRunner().invoke(plugin.group, words)
    assert done.output.splitlines() == [
        f"wrote {tmp_path}/programs/raft.toml",
        "Bond Constant may be 0, which is its own value, although the template says >0",
    ]
    assert find_program("raft", tmp_path) == tmp_path / "programs/raft.toml"


@pytest.mark.parametrize(
    ("name", "given"), [("../x", "a"), ("x", "../a"), ("x", "/a"), ("", "a"), ("x", 'a"]'), (".x", "a")]
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str, given: str) -> None:
    (tmp_path / "old.csv").write_text(HEAD + ROWS)
    with pytest.raises(DefinitionError, match="is no name of a file"):
        import_template(tmp_path / "old.csv", name, input_name=given)


def test_no_program_is_overwritten(tmp_path: Path) -> None:
    made = imported(tmp_path)
    write_program(tmp_path, "raft", made, input_name="raft.inpt")
    with pytest.raises(DefinitionError, match="already exists"):
        write_program(tmp_path, "raft", made, input_name="raft.inpt")
    (tmp_path / "other.csv").write_text("a,b\n")
    with pytest.raises(DefinitionError, match="does not have the columns"):
        import_template(tmp_path / "other.csv", "x", input_name="x")

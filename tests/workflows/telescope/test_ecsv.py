"""ECSV is read as astropy reads it, or refused with its line."""

import json
import math
import random
import subprocess
from pathlib import Path

import pytest

from penstock.errors import DefinitionError
from penstock.workflows.telescope.ecsv import read_ecsv

ASTROPY = Path(__file__).parents[3] / ".venv-astropy/bin/python"


def table(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "runs.ecsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def ecsv(*columns: str, delimiter: str = " ", rows: str = "") -> str:
    listed = "".join(f"# - {column}\n" for column in columns)
    return f"# %ECSV 1.0\n# ---\n# delimiter: '{delimiter}'\n# datatype:\n{listed}{rows}"


RUN, SOURCE = (
    "{name: run, unit: s, datatype: int32}",
    "{name: source, datatype: string, description: 'a, {b}'}",
)
#: text → the rows that astropy 8.0 reads
READ = {
    ecsv(RUN, SOURCE, rows='run source\n12 "Mrk 501"\n  13   M87  \n'): [(12, "Mrk 501"), (13, "M87")],
    ecsv(RUN, SOURCE, delimiter=",", rows='run,source\n12,"a, ""b"""\n\n13, M87\n'): [(12, 'a, "b"'), (13, "M87")],
    ecsv(RUN, SOURCE, delimiter=",", rows='run,source\n,\n7,"two\nlines"\n'): [(None, None), (7, "two\nlines")],
    ecsv(RUN, SOURCE, rows='run source\n"" ""\n'): [(None, None)],
    ecsv("name: run\n#   datatype: uint8", SOURCE, rows="run source\n255 x\n"): [(255, "x")],
    ecsv("{name: on, datatype: bool}", rows="on\nTrue\nFalse\n"): [(True,), (False,)],
    ecsv("{name: z, datatype: float64}", rows="z\n-1.5e-3\n.5\ninf\n"): [(-0.0015,), (0.5,), (math.inf,)],
    ecsv("{name: z, datatype: float32}", rows="z\n0.1\n"): [(0.10000000149011612,)],
    ecsv(RUN, rows="run\n"): [],
    "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: n,\n#   datatype: int64}\n# meta: !!omap\n# - {by: [me, {at: here}]}\n"
    "# schema: astropy-2.0\nn\n-4\n": [(-4,)],
}  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_values_are_those_of_astropy(tmp_path: Path, text: str) -> None:
    assert [tuple(row.values()) for row in read_ecsv(table(tmp_path, text)).rows] == READ[text]


@pytest.mark.parametrize("text", READ)
def test_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path, text: str) -> None:
    data = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
    assert [tuple(row.values()) for row in read_ecsv(table(tmp_path, data)).rows] == READ[text]


def test_a_table_tells_its_units_and_the_lines_of_its_rows(tmp_path: Path) -> None:
    read = read_ecsv(table(tmp_path, ecsv(RUN, SOURCE, delimiter=",", rows='run,source\n1,"a\nb"\n2,c\n')))
    columns = [(column.name, column.unit, column.line) for column in read.columns]
    assert columns == [("run", "s", 5), ("source", "", 6)]
    assert read.lines == [9, 10]


REFUSED = {
    "run,source\n1,Crab\n": (1, "it is no ECSV table"),
    "": (1, "it is no ECSV table"),
    "# %ECSV 1.0\n# ---\n# datatype: [\n": (3, "not YAML"),
    "# %ECSV 1.0\n# ---\n# datatype: " + "[" * 20_000 + "\n": (1, "not YAML"),
    "# %ECSV 1.0\n# ---\n# delimiter: ' '\nrun\n": (3, "no list `datatype`"),
    "# %ECSV 1.0\n# ---\n# datatype: &a [*a]\nrun\n": (3, "needs a `name`"),
    ecsv(RUN, delimiter=";", rows="run\n1\n"): (3, "a space or a comma"),
    ecsv(RUN, RUN, rows="run run\n1 1\n"): (6, "two columns are called 'run'"),
    ecsv("{name: t, datatype: string, subtype: 'int64[2]'}", rows="t\n"): (5, "of the type int64[2]"),
    ecsv("{name: t, datatype: complex128}", rows="t\n"): (5, "of the type complex128"),
    ecsv(RUN, SOURCE, rows="source run\nCrab 1\n"): (7, "the columns are source, run here and run, source"),
    ecsv(RUN, SOURCE, rows="run source\n1\n"): (8, "the row has 1 cells and the table 2 columns"),
    ecsv(RUN, rows="run\n1.5\n"): (7, "'1.5' in the column 'run' is not int32"),
    ecsv(RUN, rows="run\n2147483648\n"): (7, "is not int32"),
    ecsv(RUN, rows="run\n1_0\n"): (7, "is not int32"),
    ecsv("{name: on, datatype: bool}", rows="on\nyes\n"): (7, "is not bool"),
    ecsv(SOURCE, rows="source\n#1\n"): (7, "begins with #"),
    ecsv(SOURCE, rows='source\n"Crab\n'): (7, "cannot be read"),
    "# %ECSV 1.0\n# ---\n# datatype: [{name: t, datatype: float64}]\n# meta: {__serialized_columns__: {t: {}}}\nt\n": (
        4, "times, coordinates or masks",
    ),
    "# %ECSV 1.0\n# ---\n# datatype: [{name: t, datatype: float64}]\n# columns: 1\nt\n": (4, "'columns'"),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_odd_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    line, why = REFUSED[text]
    with pytest.raises(DefinitionError) as refused:
        read_ecsv(table(tmp_path, text))
    assert (refused.value.line, why in refused.value.message) == (line, True), refused.value


def test_a_table_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="not UTF-8"):
        read_ecsv(table(tmp_path, ecsv(SOURCE, rows="source\nM\xfcller\n").encode("latin-1")))


def test_damaged_tables_are_read_or_refused(tmp_path: Path) -> None:
    draw, refused = random.Random(5), 0
    for _ in range(500):
        data = bytearray(draw.choice([*READ]).encode())
        for _ in range(draw.randint(1, 4)):
            place = draw.randrange(len(data) + 1)
            data[place : place + draw.randint(0, 3)] = bytes(
                draw.choices(b"{}[]:,-#\"'\n\r &*!|>%\0\xff", k=2)
            )
        try:
            read_ecsv(table(tmp_path, bytes(data)))
        except DefinitionError:
            refused += 1
    assert 0 < refused < 500


WRITE = """
import json, random, sys
from astropy.table import MaskedColumn, Table
from numpy.ma import masked
draw, made = random.Random(7), {}
TEXTS = ["Crab", "Mrk 421", "A, B", "", "  lead", "trail ", 'say "hi"', "two\\nlines", "é", "None", "nan", "1"]
for number in range(60):
    table, rows = Table(), draw.choice([0, 1, 5])
    for kind in draw.sample(["int8", "int64", "uint16", "float32", "float64", "float16", "bool", "str"], draw.randint(1, 6)):
        values = [
            draw.choice(TEXTS) if kind == "str" else draw.random() < 0.5 if kind == "bool" else
            draw.choice([draw.gauss(0, 1), 1e-5, float("inf"), -0.0]) if "float" in kind else draw.randint(0, 100)
            for _ in range(rows)
        ]
        name = draw.choice(["a", "run id", "x-y", "é", "name: odd", "it's", 'q"q', "n,c"]) + kind
        table[name] = MaskedColumn(values, dtype=kind, mask=[draw.random() < 0.2 for _ in values])
        table[name].description = draw.choice(["", "with 'quotes'", "long enough to be wrapped: {yes}, # and more " * 3])
    path = f"{sys.argv[1]}/{number}.ecsv"
    table.write(path, format="ascii.ecsv", delimiter=draw.choice(" ,"))
    again = Table.read(path, format="ascii.ecsv")
    made[path] = [[name, [None if v is masked else v.item() for v in again[name]]] for name in again.colnames]
print(json.dumps(made))
"""


@pytest.mark.field
def test_what_astropy_writes_is_read_as_it_reads_it(tmp_path: Path) -> None:
    if not ASTROPY.exists():
        pytest.skip(".venv-astropy is not there; `make field` makes it")
    done = subprocess.run(
        [ASTROPY, "-W", "ignore", "-c", WRITE, tmp_path], capture_output=True, text=True, check=True
    )
    for path, columns in json.loads(done.stdout).items():
        read = read_ecsv(Path(path))
        mine = [[column.name, [row[column.name] for row in read.rows]] for column in read.columns]
        assert repr(mine) == repr(columns), path

"""What is not swept stays byte for byte."""

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import DefinitionError
from penstock.workflows.sweep.jsontext import Pointed
from penstock.workflows.sweep.namelist import Assigned
from penstock.workflows.sweep.place import Place, Spot, WordOfLine
from penstock.workflows.sweep.template import Argument, Template
from penstock.workflows.sweep.variable import Variable

T = Variable(name="T", type="float")
NAME = Variable(name="name", type="str")
FLAG = Variable(name="flag", type="bool", truths=(".true.", ".false."))


def template(
    raw: bytes, *variables: Variable, delimiters: tuple[str, str] = ("<<", ">>"), encoding: str = "utf-8"
) -> Template:
    return Template.parse(
        raw,
        name="in",
        file=Path("in"),
        variables={each.name: each for each in variables or (T, NAME, FLAG)},
        delimiters=delimiters,
        encoding=encoding,
    )


def render(made: Template, **texts: object) -> bytes:
    known = {slot.variable.name: slot.variable for slot in made.pieces if not isinstance(slot, bytes)}
    return made.render({name: known[name].read(texts[name]) for name in known})


def at(spot: Spot, kind: str = "float", **more: object) -> Variable:
    return Variable(name="v", type=kind, places=(Place("in", spot),), **more)


@pytest.mark.parametrize(
    "raw",
    [
        b"a <<T>>\r\nb\rc\n\n",
        codecs.BOM_UTF8 + "é <<T>> no end".encode(),
        b"\xff\xfe not utf-16 \xe9\x00 <<T>>"[2:],
        b"latin \xe9\xe8 <<T>>\t \n \n",
        b"<<T>><<T>>",
        b"${T} {T} %T% << T >>",
    ],
)
def test_all_bytes_around_a_placeholder_stay(raw: bytes) -> None:
    expected = raw.replace(b"<<T>>", b"1E-07").replace(b"<< T >>", b"1E-07")
    assert render(template(raw, T), T="1E-07") == expected


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_stay(before: bytes, after: bytes) -> None:
    raw = b"|" + before.replace(b"<", b"") + b"<<T>>" + after.replace(b"<", b"")
    assert render(template(raw, T), T="0.5") == raw.replace(b"<<T>>", b"0.5")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_says_the_encoding(encoding: str) -> None:
    raw = "\ufeffT = <<T>> °C\r\n".encode(encoding)
    assert render(template(raw, T), T="0.5") == "\ufeffT = 0.5 °C\r\n".encode(encoding)


def test_text_is_written_in_the_encoding_of_its_file_or_not_at_all() -> None:
    assert render(template(b"\xe9 <<name>>", NAME, encoding="latin-1"), name="é") == b"\xe9 \xe9"
    with pytest.raises(DefinitionError, match=r"^in:1: name: 'π' cannot be written in latin-1"):
        render(template(b"<<name>>", NAME, encoding="latin-1"), name="π")


def test_an_input_of_another_encoding_than_said_is_refused() -> None:
    with pytest.raises(DefinitionError, match="the file is not utf-16-le"):
        template(b"odd", encoding="utf-16-le")
    with pytest.raises(DefinitionError, match="the file is not no-such"):
        template(b"odd", encoding="no-such")


@pytest.mark.parametrize(
    "delimiters", [("{", "}"), ("${", "}"), ("@", "@"), ("{{", "}}"), ("«", "»"), ("[[", "]]"), ("$(", ")")]
)
def test_placeholders_have_the_delimiters_of_the_program(delimiters: tuple[str, str]) -> None:
    left, right = delimiters
    raw = f"run <T> T (T) {left}T{right} {left} {right} T\n".encode()
    assert (
        render(template(raw, T, delimiters=delimiters), T="3")
        == f"run <T> T (T) 3 {left} {right} T\n".encode()
    )


def test_text_in_braces_that_is_no_name_is_no_placeholder() -> None:
    raw = b'{"a": {"b": [1, {}]}, "f": {x + 1}, "T": {T}}'
    assert render(template(raw, T, delimiters=("{", "}")), T="2") == raw.replace(b"{T}", b"2")


def test_an_unknown_placeholder_is_told_with_its_line() -> None:
    with pytest.raises(
        DefinitionError,
        match=r"^in:3: the placeholder <<flog>> names 'flog'.* did you mean 'flag'\?.*delimiters",
    ):
        template(b"\n\r\nx <<flog>>\n")


def test_a_value_is_never_read_for_placeholders_again() -> None:
    assert render(template(b"<<name>> <<T>>", T, NAME), name="<<T>>", T="1") == b"<<T>> 1"


def test_a_second_exponent_is_never_written() -> None:
    made = template(b"x\ntolerance = <<T>>d0\n", T)
    assert render(made, T="0.001") == b"x\ntolerance = 0.001d0\n"
    with pytest.raises(DefinitionError, match=r"^in:2: T: an exponent follows 1e-07; .* 'd0'"):
        render(made, T="1e-07")


def test_truths_are_written_as_the_program_wants_them() -> None:
    assert render(template(b"l=<<flag>>", FLAG), flag=True) == b"l=.true."
    assert render(template(b"l=<<flag>>", FLAG), flag=".false.") == b"l=.false."


@pytest.mark.parametrize(
    ("line", "word", "raw", "expected"),
    [
        (2, 1, b"top\n-3          start (10^x)\n", b"top\n7.5          start (10^x)\n"),
        (1, 2, b"4 10         limits\r\nrest", b"4 7.5         limits\r\nrest"),
        (2, 1, b"a\r  b\rc", b"a\r  7.5\rc"),
        (3, 2, b"\n\n\tx\ty", b"\n\n\tx\t7.5"),
        (1, 1, codecs.BOM_UTF8 + b"3 x", codecs.BOM_UTF8 + b"7.5 x"),
    ],
)
def test_a_word_of_a_line_is_replaced_alone(line: int, word: int, raw: bytes, expected: bytes) -> None:
    assert render(template(raw, at(WordOfLine(line, word))), v="7.5") == expected


def test_what_nobody_varies_stays_in_its_spelling() -> None:
    made = template(b"tolerance 1E-06 ! small\n", at(WordOfLine(1, 2), format=".2e"))
    assert made.render(made.found) == b"tolerance 1E-06 ! small\n"
    assert render(made, v="0.5") == b"tolerance 5.00e-01 ! small\n"


@pytest.mark.parametrize(
    ("spot", "why"),
    [
        (WordOfLine(9), "there are 2 lines and no line 9"),
        (WordOfLine(1, 4), "line 1 has 2 words and no word 4"),
        (Pointed("/a"), "the file is not JSON"),
        (Assigned("a", "b"), "b is not there in &a"),
    ],
)
def test_a_place_that_is_not_there_is_told(spot: Spot, why: str) -> None:
    with pytest.raises(DefinitionError, match=f"^in: v has no place: {why}"):
        template(b"a b\nc\n", at(spot))


def test_two_values_have_two_places() -> None:
    other = Variable(name="w", type="int", places=(Place("in", WordOfLine(1)),))
    with pytest.raises(DefinitionError, match=r"^in:1: v and w have the same place"):
        template(b"1 2", at(WordOfLine(1)), other)
    with pytest.raises(DefinitionError, match="have the same place"):
        template(b"<<T>>", T, at(WordOfLine(1)))


def test_text_of_two_words_does_not_fit_into_one() -> None:
    with pytest.raises(DefinitionError, match=r"^in:1: v: 'two words' is not one word"):
        render(template(b"one\n", at(WordOfLine(1), "str")), v="two words")


JSON = b'{"T": 3, "box": {"T": [1, {"x": 2.50}], "a/b": true}, "note": "T {T} \\u00e9", "n~": null}\r\n'


@pytest.mark.parametrize(
    ("pointer", "kind", "value", "old", "new"),
    [
        ("/T", "float", "1E-07", b'"T": 3,', b'"T": 1E-07,'),
        ("/box/T/1/x", "float", "0.5", b"2.50", b"0.5"),
        ("/box/T/0", "int", 12, b"[1,", b"[12,"),
        ("/box/a~1b", "bool", False, b"true", b"false"),
        ("/note", "str", 'a "q" \\', b'"T {T} \\u00e9"', b'"a \\"q\\" \\\\"'),
        ("/n~0", "str", "x", b"null", b'"x"'),
        ("/note", "int", 5, b'"T {T} \\u00e9"', b'"5"'),
    ],
)
def test_a_json_value_is_replaced_alone(
    pointer: str, kind: str, value: object, old: bytes, new: bytes
) -> None:
    made = template(JSON, at(Pointed(pointer), kind, truths=("true", "false")))
    assert render(made, v=value) == JSON.replace(old, new)


@pytest.mark.parametrize(
    ("raw", "pointer", "why"),
    [
        (JSON, "/box", "is a table"),
        (JSON, "/box/T", "is a list"),
        (JSON, "/box/T/7", "is not there"),
        (JSON, "/none", "is not there"),
        (JSON, "T", "does not begin with /"),
        (b'{"a": 1, "a": 2}', "/a", "is there twice"),
        (b'{"a": 1,}', "/a", "not JSON"),
    ],
)
def test_a_pointer_must_lead_to_one_value(raw: bytes, pointer: str, why: str) -> None:
    with pytest.raises(DefinitionError, match=why):
        template(raw, at(Pointed(pointer)))


def test_no_number_is_written_that_json_does_not_know() -> None:
    for text in (".5", "1.", "+1", "1d-3"):
        with pytest.raises(DefinitionError, match="is no JSON number"):
            render(template(b'{"a": 1}', at(Pointed("/a"))), v=text)


NAMELIST = b"""Don't read this: T = 1
&Params ! T = 2, a comment
  T=1.0d0,  nx = 4 , title = 'it''s / T = 3', z = (1.0, T),
  list = 1, 2
  , 3, on = .TRUE., x%y(2) = 7
/
&other t = 9 &end
"""


@pytest.mark.parametrize(
    ("place", "kind", "value", "old", "new"),
    [
        (("params", "t"), "float", "1E-07", b"T=1.0d0", b"T=1E-07"),
        (("PARAMS", "NX"), "int", 64, b"nx = 4", b"nx = 64"),
        (("params", "title"), "str", "that's", b"'it''s / T = 3'", b"'that''s'"),
        (("params", "list", 3), "int", 30, b", 3, on", b", 30, on"),
        (("params", "on"), "bool", False, b".TRUE.", b".false."),
        (("params", "x%y(2)"), "int", 8, b"= 7", b"= 8"),
        (("other", "T"), "int", 1, b"t = 9", b"t = 1"),
    ],
)
def test_a_namelist_value_is_replaced_alone(
    place: tuple, kind: str, value: object, old: bytes, new: bytes
) -> None:
    made = template(NAMELIST, at(Assigned(*place), kind, truths=(".true.", ".false.")))
    assert render(made, v=value) == NAMELIST.replace(old, new)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"&a b = 1, b = 2 /", r"is there 2 times \(lines 1, 1\)"),
        (b"&a b = 1 /\n&a b = 2 /", r"is there 2 times \(lines 1, 2\)"),
        (b"&a b = 3*0.5 /", "has a repeat count"),
        (b"&a b = , 5 /", "leaves a value out"),
        (b"&a c = 'b = 1' ! b = 2\n /", "is not there"),
        (b"&ab b = 1 /", "is not there"),
        (b"&a b = 1", "is not there"),
    ],
)
def test_a_namelist_value_that_is_not_clear_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(DefinitionError, match=why):
        template(raw, at(Assigned("a", "b")))


def test_an_argument_stays_one_argument() -> None:
    made = Argument.parse("--T=<<T>>/<<name>>", variables={"T": T, "name": NAME}, delimiters=("<<", ">>"))
    assert (
        made.render({"T": T.read("1E3"), "name": NAME.read("; rm -rf * $(x) '")})
        == "--T=1E3/; rm -rf * $(x) '"
    )
    with pytest.raises(ValueError, match="the argument"):
        Argument.parse("<<U>>", variables={"T": T}, delimiters=("<<", ">>"))

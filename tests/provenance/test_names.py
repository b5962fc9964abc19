import re
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st
from tests.provenance.provn import LOCAL

from penstock.provenance.names import identifier, namespace, plain, timestamp, versioned


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_name_becomes_an_identifier_that_can_be_read_back(name):
    made = identifier("file", name)
    assert re.fullmatch(LOCAL, made)
    assert unquote(made) == f"file/{name}"


def test_a_name_that_is_no_utf_8_becomes_one_too():
    assert identifier("file", b"M\xfcll".decode("utf-8", "surrogateescape")) == "file/M%FCll"


def test_a_file_with_another_content_is_another_entity():
    assert versioned("file/a", "1" * 64) != versioned("file/a", "2" * 64)
    assert versioned("file/a", None) == "file/a"


def test_campaigns_have_namespaces_of_their_own():
    assert namespace("a") == namespace("a") != namespace("b")


def test_times_are_utc_to_the_millisecond():
    assert timestamp(1579286400.0006) == "2020-01-17T18:40:00.001Z"
    assert timestamp(0.9996) == "1970-01-01T00:00:01.000Z"


def test_text_keeps_no_control_characters():
    assert plain("a\x1b[31m\udcff\n") == "a\\x1b[31m\\xff\n"

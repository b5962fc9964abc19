import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.display import clean_log, show_bytes, show_command, show_duration, show_time, visible


@given(st.text(st.characters()))
def test_nothing_that_drives_a_terminal_stays(text):
    shown = visible(text)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in shown)
    assert not set(shown) & set("\u202e\u2066\u200f\u2028")
    shown.encode()


def test_plain_names_stay_as_they_are():
    assert visible("données 2020/β %0A") == "données 2020/β %0A"


def test_what_is_changed_can_be_read():
    assert visible("a\nb\x1b\u202e\udcff") == "a\\nb\\x1b\\u202e\\xff"


@given(st.binary())
def test_logs_keep_lines_and_lose_what_drives_a_terminal(raw):
    assert not any(ord(c) < 32 and c not in "\n\t" for c in clean_log(raw))


def test_colours_and_progress_bars_are_taken_out_of_logs():
    assert (
        clean_log(b"\x1b[1;31mred\x1b[0m \xff\r\n10 %\r20 %\n\x1b]0;title\x07end")
        == "red \\xff\n10 %\n20 %\nend"
    )


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.3456, "0.35 s"), (0, "0 s"), (12.4, "12 s"), (240, "4 min"), (7500, "2 h 05"), (273600, "3 d 4 h")],
)
def test_durations_are_short(seconds, shown):
    assert show_duration(seconds) == shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (850, "850 B"),
        (12_000, "12 kB"),
        (1.5e9, "1.5 GB"),
        (999_999, "1.0 MB"),
        (4e15, "4000 TB"),
    ],
)
def test_sizes_are_short(size, shown):
    assert show_bytes(size) == shown


def test_times_have_their_day_unless_it_is_today():
    assert show_time(3661, now=80_000) == "01:01:01"
    assert show_time(3661, now=90_000) == "1970-01-01 01:01:01"


@pytest.mark.parametrize(
    ("label", "command"),
    [
        ("2020/01", "penstock log --stage psd 2020/01"),
        ("a b", "penstock log --stage psd 'a b'"),
        ("$(rm)", "penstock log --stage psd '$(rm)'"),
        ("-x", "penstock log --stage psd -- -x"),
    ],
)
def test_commands_can_be_pasted(label, command):
    assert show_command("log", label, "psd") == command


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1))
def test_any_printable_name_comes_back_from_a_pasted_command(label):
    assert shlex.split(show_command("log", label, "a b"))[-1] == label

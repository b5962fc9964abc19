"""What the adapters share: amounts, ranges and refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import QueryFailed, SiteFull, SubmitRejected
from penstock.schedulers.text import (
    Refusal,
    answer,
    expand_ranges,
    hours,
    last_match,
    mebibytes,
    minutes,
    number,
    one_line,
    raw_lines,
    refusal,
    write_ranges,
)
from penstock.transports.reply import Reply

TABLE = [
    Refusal("too many jobs", SiteFull, "wait"),
    Refusal("no such queue", SubmitRejected, "correct the site's `queue`"),
    Refusal("denied", SubmitRejected, "ask"),
]


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("7", [7]),
        ("3-9%3", [3, 4, 5, 6, 7, 8, 9]),
        ("1-4,6,9%1", [1, 2, 3, 4, 6, 9]),
        ("1-10:4", [1, 5, 9]),
        ("0-1, 3", [0, 1, 3]),
        ("5-4", []),
    ],
)
def test_ranges_are_expanded_with_their_holes_and_steps(text, indices):
    assert expand_ranges(text) == indices


@pytest.mark.parametrize("text", ["", "x", "1-", "1,3,5,...", "1-3:0", "1-99999999999999", "-3", "1;2"])
def test_what_is_no_list_of_ranges_is_refused(text):
    with pytest.raises(ValueError, match="is not a list of ranges"):
        expand_ranges(text)


@given(st.sets(st.integers(0, 3000), min_size=1))
def test_written_ranges_are_read_back(indices):
    assert expand_ranges(write_ranges(indices)) == sorted(indices)


def test_amounts_are_rounded_up_and_never_nothing():
    assert [hours(0), hours(59.2), hours(3600), hours(360_000)] == [
        "00:00:01",
        "00:01:00",
        "01:00:00",
        "100:00:00",
    ]
    assert [minutes(0.5), minutes(60), minutes(60.1)] == [1, 1, 2]
    assert [number("12"), number("-1"), number("1.5"), number("9" * 5000), number("²")] == [
        12,
        None,
        None,
        None,
        None,
    ]
    assert [mebibytes(1), mebibytes(2**20), mebibytes(2**20 + 1)] == [1, 1, 2]


def test_raw_lines_get_the_prefix_that_they_lack():
    assert raw_lines("#SBATCH", ["--gres=gpu:1", " ", "#SBATCH --nice", "# a remark"]) == [
        "#SBATCH --gres=gpu:1",
        "#SBATCH --nice",
        "# a remark",
    ]


def test_a_text_of_several_raw_lines_leaves_none_to_the_shell():
    text = "\n--gres=gpu:1\n  --nice\n\n#SBATCH --mem=0\r\n"
    assert raw_lines("#SBATCH", [text]) == ["#SBATCH --gres=gpu:1", "#SBATCH --nice", "#SBATCH --mem=0"]


def test_the_last_line_that_fits_wins_over_banners():
    found = last_match("Welcome 12\n12\nquota 99%\n 34 \nbye", r"(\d+)")
    assert found is not None
    assert found[1] == "34"
    assert last_match("Welcome 12", r"\d+") is None


def test_an_answer_needs_one_of_its_exit_codes():
    assert answer(Reply(0, "x")) == answer(Reply(254, "x"), (0, 254)) == "x"
    for reply in (Reply(1, "x", "down"), Reply(None, "x", "down")):
        with pytest.raises(QueryFailed, match=r"the scheduler did not answer \(down\)"):
            answer(reply)


def test_what_each_line_of_a_refusal_begins_with_is_said_once():
    said = "sbatch: error: invalid partition specified: x\nsbatch: error: Batch job submission failed: Bad name\n"
    assert one_line(said) == (
        "sbatch: error: invalid partition specified: x; Batch job submission failed: Bad name"
    )


def test_a_refusal_says_the_schedulers_words_and_the_remedy():
    error = refusal(
        Reply(1, "", "hello from the profile\nbsub: nosuch: No such queue.\n  Job not submitted."), TABLE
    )
    assert isinstance(error, SubmitRejected)
    assert str(error) == (
        "the scheduler refused the job (bsub: nosuch: No such queue; Job not submitted): correct the site's `queue`"
    )


def test_the_first_row_that_fits_decides():
    error = refusal(Reply(1, "", "denied\nToo many jobs"), TABLE)
    assert isinstance(error, SiteFull)


def test_a_refusal_is_read_from_the_output_only_when_there_are_no_errors():
    assert isinstance(refusal(Reply(1, "no such queue"), TABLE), SubmitRejected)
    assert isinstance(refusal(Reply(1, "no such queue", "connection lost"), TABLE), QueryFailed)


@pytest.mark.parametrize(
    "reply", [Reply(None, "", "denied"), Reply(0, "denied"), Reply(1, "", "socket timed out"), Reply(1)]
)
def test_a_job_is_never_taken_as_refused_when_it_may_have_been_taken(reply):
    error = refusal(reply, TABLE)
    assert isinstance(error, QueryFailed)
    assert str(error).startswith("it is unknown whether the scheduler accepted the job (")

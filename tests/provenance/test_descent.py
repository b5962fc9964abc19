from tests.provenance.conftest import NIGHT

from penstock.provenance.descent import find_descent


def counts(ledger, file):
    return {made.stage: (len(made.units), made.direct) for made in find_descent(ledger, file).made}


def test_what_used_a_calibration(ledger):
    assert counts(ledger, f"calib/{NIGHT}.h5") == {"dl1": (20, True), "merge": (2, False), "page": (1, False)}


def test_what_was_made_from_a_raw_file(ledger):
    made = find_descent(ledger, f"raw/{NIGHT}/01807/0003.txt").made
    assert [(m.stage, m.direct, len(m.paths)) for m in made] == [
        ("dl1", True, 2), ("merge", False, 1), ("page", False, 1),
    ]  # fmt: skip


def test_what_was_made_with_a_configuration(ledger):
    assert counts(ledger, "config/cleaning.json") == {
        "dl1": (20, True),
        "merge": (2, False),
        "page": (1, False),
    }


def test_a_product_that_no_stage_reads_led_to_nothing(ledger):
    descent = find_descent(ledger, f"muons/{NIGHT}/01807.0003.csv")
    assert (descent.made, "nothing was made from it" in descent.to_text()) == ([], True)


def test_the_text_has_a_line_for_each_stage(ledger):
    text = find_descent(ledger, f"dl1/{NIGHT}/01807.0003.h5").to_text()
    assert [line.split(",")[0].strip() for line in text.splitlines()[1:]] == ["merge", "page"]

import pytest

from penstock.errors import DefinitionError
from penstock.explain import find_stage, find_units


@pytest.fixture
def nights(record):
    record.stage("dark", 1)
    record.stage("calibrate", 2)
    for night, run in (("2020-01-17", 7), ("2020-01-17", 1807), ("2020-01-18", 7)):
        record.unit(night, run, fields=f'{{"path": "raw/{night}_{run}.fits"}}')
    return record


def labels(record, text, stage=None):
    from penstock.display import Labels

    shown = Labels.read(record.db)
    marks = find_units(record.ledger, text, stage)
    return [
        shown.label(record.db.execute("SELECT key FROM unit WHERE id = ?", (u,)).fetchone()[0]) for u in marks
    ]


def test_a_unit_is_found_by_its_printed_name(nights):
    assert labels(nights, "2020-01-17/01807") == ["2020-01-17/01807"]


def test_zeros_in_front_need_not_be_typed(nights):
    assert labels(nights, "2020-01-17/7") == ["2020-01-17/00007"]


def test_a_number_is_found_at_a_level_whose_type_nobody_told(record):
    record.unit(3, 7)
    assert labels(record, "3/7") == ["3/00007"]


def test_a_group_is_found_by_its_name(nights):
    assert labels(nights, "2020-01-17") == labels(nights, "2020-01-17/") == ["2020-01-17"]


def test_the_campaign_is_a_group_too(nights):
    assert labels(nights, "campaign") == ["campaign"]


def test_a_slash_is_the_campaign_whatever_its_units_are_called(nights):
    assert labels(nights, "/") == ["campaign"]
    nights.unit("campaign", 1)
    assert labels(nights, "/") == ["/"]
    assert len(labels(nights, "/", "calibrate")) == 4


def test_a_unit_that_is_called_campaign_is_that_unit(nights):
    nights.unit("campaign", 1)
    assert labels(nights, "campaign") == ["campaign"]
    assert labels(nights, "campaign", "calibrate") == ["campaign/00001"]
    assert labels(nights, "campaign/00001") == ["campaign/00001"]


def test_a_group_means_its_units_when_a_stage_is_named(nights):
    assert labels(nights, "2020-01-17", "calibrate") == ["2020-01-17/00007", "2020-01-17/01807"]
    assert len(labels(nights, "campaign", "calibrate")) == 3


def test_a_unit_means_its_group_when_a_coarser_stage_is_named(nights):
    assert labels(nights, "2020-01-17/00007", "dark") == ["2020-01-17"]


def test_several_units_of_one_group_mean_it_once(nights):
    assert labels(nights, "2020-01-17/*", "dark") == ["2020-01-17"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("2020-01-17/*", ["2020-01-17/00007", "2020-01-17/01807"]),
        ("*/00007", ["2020-01-17/00007", "2020-01-18/00007"]),
        ("*-1[8]", ["2020-01-18"]),
        ("2020-01-17/018?7", ["2020-01-17/01807"]),
        ("*", ["2020-01-17", "2020-01-18"]),
    ],
)
def test_a_pattern_finds_the_units_of_its_depth(nights, pattern, found):
    assert labels(nights, pattern) == found


def test_a_star_does_not_reach_over_a_slash(record):
    record.unit("a/b", 1)
    record.unit("ab", 1)
    assert labels(record, "a*b/*") == ["a%2Fb/00001", "ab/00001"]


def test_a_name_that_looks_like_a_pattern_is_a_name_first(record):
    record.unit("[ab]", 1)
    record.unit("a", 1)
    assert labels(record, "[ab]") == ["[ab]"]


def test_a_unit_is_found_by_its_file(nights):
    assert labels(nights, "raw/2020-01-17_1807.fits") == ["2020-01-17/01807"]


def test_the_path_of_a_file_may_start_anywhere(nights, monkeypatch):
    (nights.root / "raw").mkdir()
    monkeypatch.chdir(nights.root / "raw")
    for path in ("./raw/2020-01-17_7.fits", "2020-01-17_7.fits", nights.root / "raw/2020-01-17_7.fits"):
        assert labels(nights, str(path)) == ["2020-01-17/00007"]


def test_a_unit_is_found_by_its_product(nights):
    nights.insert("product", stage=2, unit=3, name="product", path="out/x.h5")
    assert labels(nights, "out/x.h5") == ["2020-01-17/00007"]


def test_an_unknown_name_is_told_with_the_nearest(nights):
    with pytest.raises(DefinitionError, match="do you mean 2020-01-17/01807") as caught:
        find_units(nights.ledger, "2020-01-17/01870")
    assert caught.value.exit_code == 2


def test_a_part_of_a_name_is_told_with_the_names_that_hold_it(nights):
    with pytest.raises(DefinitionError, match="do you mean 2020-01-17/01807"):
        find_units(nights.ledger, "01807")


def test_without_units_the_message_says_so(record):
    with pytest.raises(DefinitionError, match="there are none yet"):
        find_units(record.ledger, "x")


def test_an_unknown_stage_is_told_with_the_nearest(nights):
    with pytest.raises(DefinitionError, match="do you mean calibrate"):
        find_stage(nights.db, "calibrat")
    with pytest.raises(DefinitionError, match="the stages are dark, calibrate"):
        find_units(nights.ledger, "2020-01-17", "zzz")


def test_a_file_that_is_still_written_is_named_to_who_asks_for_its_unit(nights):
    nights.db.execute("INSERT INTO settling VALUES ('raw/2020-01-17_9.fits', '0:1', 0)")
    with pytest.raises(DefinitionError, match=r"yet: raw/2020-01-17_9\.fits is still being written"):
        find_units(nights.ledger, "2020-01-17_9")
    with pytest.raises(DefinitionError, match="do you mean"):
        find_units(nights.ledger, "2020-01-17/1806")

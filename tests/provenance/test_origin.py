from tests.provenance.conftest import NIGHT, RUN

from penstock.provenance.origin import find_origin


def test_of_a_product_it_tells_task_attempts_definition_and_inputs(ledger):
    origin = find_origin(ledger, f"dl1/{NIGHT}/01807.0003.h5")
    assert (origin.maker.stage, origin.maker.unit) == ("dl1", f"{RUN}/0003")
    assert origin.maker.attempts == {"error": 1, "ok": 1}
    assert "picture" in origin.plan["params"]
    direct = {source.stage: [m.path for m in source.files] for source in origin.sources if source.direct}
    assert direct == {"pedestal": [f"calib/{NIGHT}.h5"], None: [f"raw/{NIGHT}/01807/0003.txt"]}


def test_of_a_merge_it_goes_back_to_the_raw_files(ledger):
    origin = find_origin(ledger, f"pages/{NIGHT}")
    back = {(s.stage, s.level): (len(s.files), s.direct) for s in origin.sources}
    assert back == {
        ("merge", "run"): (2, True), ("dl1", "subrun"): (40, False), (None, "subrun"): (20, False),
        ("pedestal", "night"): (1, False),
    }  # fmt: skip


def test_the_text_names_a_few_and_the_data_all(ledger):
    origin = find_origin(ledger, f"merged/{NIGHT}/01807.h5")
    text = origin.to_text()
    assert "11 products of dl1 (11 tasks" in text
    assert text.count(".h5") < 8
    assert [len(source["files"]) for source in origin.to_json()["from"] if source["stage"] == "dl1"] == [11]


def test_no_text_of_a_program_and_no_secret_is_in_it(ledger):
    origin = find_origin(ledger, f"dl1/{NIGHT}/01807.0003.h5")
    assert "hunter2" not in origin.to_text() + str(origin.to_json())


def test_of_an_input_it_tells_whose_it_is(ledger):
    assert f"the input of {RUN}/0003" in find_origin(ledger, f"raw/{NIGHT}/01807/0003.txt").to_text()
    assert "the definition of dl1" in find_origin(ledger, "config/cleaning.json").to_text()

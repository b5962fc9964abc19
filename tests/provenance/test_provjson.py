import io

import prov.model
from hypothesis import given
from hypothesis import strategies as st
from tests.provenance.conftest import NIGHT, RUN
from tests.provenance.provn import parse

from penstock.provenance.collections import collection, file_entity
from penstock.provenance.model import Activity, Agent, Link, Member, Trace
from penstock.provenance.names import identifier
from penstock.provenance.provjson import document, write_prov_json
from penstock.provenance.provn import write_prov_n

NAMES = st.text(
    alphabet=st.one_of(
        st.sampled_from(" %#\"'äöüß?&=,()[]:;.-@\\/<>{}$~\n\t"),
        st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=12,
)


def load(text: str) -> prov.model.ProvDocument:
    return prov.model.ProvDocument.deserialize(io.StringIO(text), format="json")


def records(read: prov.model.ProvDocument, kind: type) -> list:
    return list(read.get_records(kind))


def trace_of(file: str, unit: str, host: str, campaign: str) -> Trace:
    entity = file_entity(Member(unit, file, 3, "a" * 64))
    group = collection((unit, file), file, [Member(unit, file, 3, None, "3:4")])
    activity = Activity(
        identifier("stage", unit), unit, unit, "ok", 0.5, 1.5, {"host": host, "n": 1 << 40, "s": 0.25}
    )
    person = Agent(identifier("person", host), "person", host)
    links = {
        Link("used", activity.id, group.id), Link("wasGeneratedBy", entity.id, activity.id),
        Link("wasAssociatedWith", activity.id, person.id, plan=group.id), Link("wasAttributedTo", entity.id, person.id),
    }  # fmt: skip
    entities = {each.id: each for each in (entity, group)}
    return Trace(
        campaign, unit, "run", tuple(entities.values()), (activity,), (person,), tuple(sorted(links))
    )


@given(NAMES, NAMES, NAMES, NAMES)
def test_documents_hold_any_name_in_every_format(file, unit, host, campaign):
    made = trace_of(file, unit, host, campaign)
    assert parse(write_prov_n(made)) == document(made)
    read = load(write_prov_json(made))
    assert {str(e.identifier.localpart) for e in records(read, prov.model.ProvEntity)} == {
        e.id for e in made.entities
    }
    (activity,) = records(read, prov.model.ProvActivity)
    assert activity.label == document(made)["activity"][f"c:{made.activities[0].id}"]["prov:label"]


def test_prov_reads_a_run(traced):
    for name, steps in ((RUN, False), (NIGHT, True)):
        found = traced(name, steps=steps)
        read = load(write_prov_json(found))
        counts = [len(records(read, kind)) for kind in (
            prov.model.ProvEntity, prov.model.ProvActivity, prov.model.ProvUsage, prov.model.ProvGeneration,
        )]  # fmt: skip
        assert counts == [
            len(found.entities), len(found.activities), len([*found.of("used")]), len([*found.of("wasGeneratedBy")]),
        ]  # fmt: skip


def test_prov_says_the_same_of_what_it_read_and_wrote_itself(traced):
    read = load(write_prov_json(traced(RUN)))
    again = load(read.serialize(format="json"))
    assert read == again
    assert len(read.get_provn()) > 100


def test_times_are_read_as_utc(traced):
    read = load(write_prov_json(traced(RUN)))
    times = [activity.get_startTime() for activity in records(read, prov.model.ProvActivity)]
    assert {time.utcoffset().total_seconds() for time in times} == {0.0}


def test_the_same_statements_stand_in_prov_n(traced):
    found = traced(NIGHT, steps=True)
    assert parse(write_prov_n(found)) == document(found)

from penstock.provenance.software import agents_of, details_of, versions_of

RAN = {
    "user": "ann", "python": "3.6.8", "system": "Linux 4.18 x86_64", "environment": {"LANG": "C"},
    "versions": {"root": "6.34"},
}  # fmt: skip


def test_a_person_and_the_programs_are_agents():
    assert [(a.kind, a.label, dict(a.details)) for a in agents_of(RAN)] == [
        ("person", "ann", {}), ("software", "python", {"version": "3.6.8"}), ("software", "root", {"version": "6.34"}),
    ]  # fmt: skip


def test_another_version_is_another_agent():
    ids = {agent.id for n in ("6.34", "6.36") for agent in agents_of({"versions": {"root": n}})}
    assert len(ids) == 2


def test_of_a_runner_that_told_nothing_nothing_is_said():
    assert ([*agents_of({})], versions_of({}), details_of({})) == ([], {}, {})


def test_system_and_variables_are_told():
    assert details_of(RAN) == {"system": "Linux 4.18 x86_64", "environment": '{"LANG": "C"}'}

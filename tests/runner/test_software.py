import os
import pwd
import sys

from penstock.runner.software import MOST, describe_software, version_of


def test_only_variables_that_are_asked_for_are_told(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("DB_TOKEN", "hunter2")
    told = describe_software(["TZ", "MODE", "NOTHING"], {}, {"MODE": "night"})
    assert told["environment"] == {"TZ": "UTC", "MODE": "night"}
    assert "hunter2" not in str(told)


def test_user_python_and_system_are_told():
    told = describe_software([], {}, {})
    assert told["user"] == pwd.getpwuid(os.getuid()).pw_name
    assert told["python"] == "{}.{}.{}".format(*sys.version_info[:3])
    assert os.uname().machine in told["system"]


def test_a_version_is_the_first_line_that_a_program_prints():
    assert version_of(["sh", "-c", "echo; echo ' root 6.34 ' >&2; echo more"], os.environ) == "root 6.34"
    assert len(version_of(["printf", "x" * 999], os.environ)) == MOST


def test_a_version_that_cannot_be_had_is_not_made_up():
    versions = {
        "fails": ["sh", "-c", "echo usage; exit 2"],
        "missing": ["no such program"],
        "silent": ["true"],
    }
    assert describe_software([], versions, {})["versions"] == {}

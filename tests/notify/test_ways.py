"""Letters are delivered by real servers and programs of this machine, within a time, and without telling a secret."""

import json
import time
from pathlib import Path

import pytest

from penstock.channels import Channel, Command, Mail, Secret, Webhook
from penstock.notify.letter import Draft, Letter
from penstock.notify.ways import Undelivered, deliver

DRAFT = Draft("calibrate n/7 failed", ["calibrate n/7: exit code 3"], {"failed": 1})


def letter(draft=DRAFT):
    return Letter.new("failure", draft, campaign="winter", folder=Path("/data/winter"), at=1_600_000_000.0)


def mail(server, **options):
    host, _, port = server.address.partition(":")
    options = {"security": server.security, **options}
    return Channel("mail", Mail(("anna@lab.example",), "penstock@lab.example", host, int(port), **options))


def lines_of(mail):
    return mail.get_content().split("\r\n")


def secret_file(tmp_path, text="hunter2\n", mode=0o600):
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(mode)
    return Secret(file=str(path))


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_arrives_over_tls_with_a_login(mail_server, tmp_path, security):
    server = mail_server(security=security, password="hunter2")
    sent = letter()
    way = mail(server, user="penstock", password=secret_file(tmp_path))
    assert deliver(way, sent, root=tmp_path) is None
    (got,) = server.mails
    assert server.over_tls == [True]
    assert (got["Subject"], got["From"], got["To"]) == (
        "[winter] calibrate n/7 failed", "penstock <penstock@lab.example>", "anna@lab.example",
    )  # fmt: skip
    assert got["Message-ID"] == f"<{sent.id}@lab.example>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert lines_of(got)[:2] == ["calibrate n/7: exit code 3", ""]
    assert lines_of(got)[2].startswith("penstock on ")


def test_a_mail_of_an_unknown_certificate_is_not_sent(mail_server, monkeypatch, tmp_path):
    server = mail_server()
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Undelivered, match="CERTIFICATE_VERIFY_FAILED"):
        deliver(mail(server), letter(), root=tmp_path)
    assert server.mails == []


def test_a_server_that_offers_no_tls_gets_nothing(mail_server, tmp_path):
    server = mail_server(security="none")
    with pytest.raises(Undelivered, match="STARTTLS"):
        deliver(mail(server, security="starttls"), letter(), root=tmp_path)
    assert server.mails == []


def test_a_wrong_password_is_told_without_the_password(mail_server, tmp_path):
    server = mail_server(password="other")
    with pytest.raises(Undelivered) as failed:
        deliver(mail(server, user="me", password=secret_file(tmp_path)), letter(), root=tmp_path)
    assert str(failed.value) == "535 5.7.8 … is wrong"


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (Secret(file="/nowhere/secret"), "/nowhere/secret cannot be read: No such file or directory"),
        (Secret(variable="NOT_SET_HERE"), "no secret in the variable NOT_SET_HERE"),
        (Secret(command=("false",)), "false, which knows a secret, ended with exit code 1"),
        (Secret(command=("no-such-program",)), "no-such-program, which knows a secret, cannot be started"),
        (Secret(command=("true",)), "no secret in the output of true"),
    ],
)
def test_a_secret_that_is_not_there_is_said_in_a_sentence(mail_server, tmp_path, where, said):
    with pytest.raises(Undelivered, match=said):
        deliver(mail(mail_server(), user="me", password=where), letter(), root=tmp_path)


def test_a_secret_that_others_may_read_is_refused(mail_server, tmp_path):
    way = mail(mail_server(), user="me", password=secret_file(tmp_path, mode=0o640))
    with pytest.raises(Undelivered, match=r"others may read .*: `chmod 600"):
        deliver(way, letter(), root=tmp_path)


@pytest.mark.parametrize("kind", ["variable", "command"])
def test_a_secret_comes_from_a_variable_or_a_command(mail_server, monkeypatch, tmp_path, kind):
    monkeypatch.setenv("MAIL_SECRET", "hunter2")
    where = {"variable": Secret(variable="MAIL_SECRET"), "command": Secret(command=("echo", "hunter2"))}
    server = mail_server(password="hunter2")
    deliver(mail(server, user="me", password=where[kind]), letter(), root=tmp_path)
    assert len(server.mails) == 1


@pytest.mark.parametrize(
    "name",
    ["a\r\nBcc: eve@evil.example", "a\n\nbody", "a\rX: y", "a\x00b", "a\u2028X: y", "é\udcff", "x" * 500],
)
def test_no_name_of_a_unit_becomes_a_header_or_a_line(mail_server, tmp_path, name):
    server = mail_server()
    draft = Draft(f"copy {name} failed", [f"copy {name}: exit code 1", "second"], {"task": name})
    deliver(mail(server), letter(draft), root=tmp_path)
    (got,) = server.mails
    assert sorted(got.keys()) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type",
         "Content-Transfer-Encoding", "MIME-Version"]
    )  # fmt: skip
    assert got["Subject"].startswith("[winter] copy ")
    assert len(got["Subject"]) <= 160
    assert lines_of(got)[1] == "second"


def test_who_is_refused_while_others_are_not_is_told(mail_server, tmp_path):
    server = mail_server()
    server.refused["bob@lab.example"] = "550 5.1.1 nobody here"
    host, _, port = server.address.partition(":")
    way = Channel("m", Mail(("anna@lab.example", "bob@lab.example"), "p@lab.example", host, int(port)))
    assert deliver(way, letter(), root=tmp_path) == "bob@lab.example was refused: 550 5.1.1 nobody here"
    server.refused["anna@lab.example"] = "450 later"
    with pytest.raises(Undelivered, match=r"anna@lab\.example: 450 later"):
        deliver(way, letter(), root=tmp_path)


def test_a_server_that_took_the_mail_and_then_is_rude_has_it(mail_server, tmp_path):
    server = mail_server()
    server.quits_badly = True
    assert deliver(mail(server), letter(), root=tmp_path) is None


def test_a_server_that_says_nothing_is_left_after_a_while(mail_server, tmp_path):
    server = mail_server()
    server.hangs = True
    with pytest.raises(Undelivered, match=r"no answer within 0\.2 s"):
        deliver(mail(server), letter(), root=tmp_path, limit_s=0.2)


def test_nobody_who_listens_is_said_plainly(mail_server, tmp_path):
    server = mail_server()
    way = mail(server)
    server.socket.close()
    with pytest.raises(Undelivered, match=r"the mail server .* cannot be reached \(.*(refused|reset)"):
        deliver(way, letter(), root=tmp_path)


def test_a_webhook_gets_json(web_server, tmp_path):
    sent = letter()
    deliver(Channel("chat", Webhook(f"{web_server.url}/hook")), sent, root=tmp_path)
    (got,) = web_server.posts
    assert (got["id"], got["kind"], got["campaign"], got["failed"]) == (sent.id, "failure", "winter", 1)
    assert got["text"].startswith("[winter] calibrate n/7 failed\ncalibrate n/7: exit code 3\n")


@pytest.mark.parametrize("code", [302, 404, 500])
def test_an_answer_of_a_webhook_that_is_not_well_is_a_failure(web_server, tmp_path, code):
    web_server.code = code
    with pytest.raises(Undelivered, match=f"the server answered {code}"):
        deliver(Channel("chat", Webhook(f"{web_server.url}/hook")), letter(), root=tmp_path)
    assert web_server.gets == [], "no redirect is followed"


def test_the_url_of_a_webhook_may_be_a_secret(web_server, tmp_path):
    where = secret_file(tmp_path, f"{web_server.url}/T0P-SECRET\n")
    deliver(Channel("chat", Webhook(where)), letter(), root=tmp_path)
    assert len(web_server.posts) == 1
    Path(str(where.file)).write_text("http://evil.example/T0P-SECRET\n", "utf-8")
    with pytest.raises(Undelivered, match="must begin with https://") as failed:
        deliver(Channel("chat", Webhook(where)), letter(), root=tmp_path)
    assert "T0P" not in str(failed.value)


def test_a_webhook_of_an_unknown_certificate_gets_nothing(web_server, monkeypatch, tmp_path):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Undelivered, match="CERTIFICATE_VERIFY_FAILED"):
        deliver(Channel("chat", Webhook(web_server.url)), letter(), root=tmp_path)
    assert web_server.posts == []


def test_a_program_gets_the_message_on_its_standard_input(tmp_path):
    script = "cat > got; env | grep ^PENSTOCK_NOTICE > variables"
    sent = letter()
    deliver(Channel("pager", Command(("sh", "-c", script))), sent, root=tmp_path)
    assert (tmp_path / "got").read_text() == f"{sent.subject}\n\n{sent.text}"
    variables = (tmp_path / "variables").read_text().splitlines()
    assert f"PENSTOCK_NOTICE_ID={sent.id}" in variables
    assert "PENSTOCK_NOTICE_KIND=failure" in variables


def test_a_program_that_fails_says_why(tmp_path):
    way = Command(("sh", "-c", "echo no modem >&2; exit 3"))
    with pytest.raises(Undelivered, match=r"sh ended with exit code 3: no modem"):
        deliver(Channel("pager", way), letter(), root=tmp_path)
    with pytest.raises(Undelivered, match="no-such-program"):
        deliver(Channel("pager", Command(("no-such-program",))), letter(), root=tmp_path)


def test_a_program_that_does_not_end_is_killed_with_all_that_it_started(tmp_path):
    way = Channel("pager", Command(("sh", "-c", "sleep 300 & echo $! > child; wait")))
    with pytest.raises(Undelivered, match=r"did not end within|no answer"):
        deliver(way, letter(), root=tmp_path, limit_s=1.2)
    child, until = int((tmp_path / "child").read_text()), time.monotonic() + 10
    while time.monotonic() < until and is_alive(child):
        time.sleep(0.02)
    assert not is_alive(child)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_letter_is_the_same_after_the_outbox():
    sent = letter()
    assert Letter.from_json(sent.to_json()) == sent
    assert json.loads(sent.to_post())["id"] == sent.id
    assert letter().id != sent.id

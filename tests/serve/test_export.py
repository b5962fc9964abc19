"""Static pages: whole, linked among themselves, replaced one by one, in a folder of their own."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from penstock.cli import cli
from penstock.errors import DefinitionError, PenstockError
from penstock.serve.campaigns import Shown, shown_in
from penstock.serve.export import MARK, alone, export


class Addresses(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for key, value in attrs if key in ("href", "src", "action") and value]


def files_in(folder: Path) -> set[str]:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return found - {MARK}


def test_each_address_of_each_page_is_a_file_of_the_export(shown, tmp_path):
    out = tmp_path / "pages"
    assert export({"winter": shown}, out) == (len(files_in(out)), [])
    pages = list(out.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        for address in Addresses(page.read_text()).found:
            if not address.startswith("#"):
                assert (page.parent / address).is_file(), (page, address)
    assert len(list(out.glob("winter/pictures/*.png"))) == 3
    assert {oct(path.stat().st_mode & 0o777) for path in pages} == {"0o644"}


def test_pages_are_replaced_and_what_is_over_is_removed(shown, record, tmp_path):
    out = tmp_path / "pages"
    export({"winter": shown}, out)
    before = os.stat(out / "winter/index.html").st_ino
    old = files_in(out)
    (out / "notes.txt").write_text("mine")
    record.db.execute("DELETE FROM product")
    export({"winter": shown}, out)
    assert os.stat(out / "winter/index.html").st_ino != before
    assert {name for name in old if "/pictures/" in name} == old - files_in(out)
    assert (out / "notes.txt").read_text() == "mine"


def test_a_folder_with_other_files_is_refused(shown, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    with pytest.raises(DefinitionError, match="no pages of ours"):
        export({"winter": shown}, tmp_path / "home")


def test_what_was_killed_in_the_middle_is_written_again_and_leaves_nothing(
    shown, record, tmp_path, monkeypatch
):
    out = tmp_path / "pages"
    with monkeypatch.context() as patch:
        patch.setattr("penstock.serve.export.render", interrupt)  # for the last page
        with pytest.raises(KeyboardInterrupt):
            export({"winter": shown}, out)
    assert len(list(out.glob("winter/pictures/*.png"))) == 3
    record.db.execute("DELETE FROM product")
    assert export({"winter": shown}, out) == (len(files_in(out)), [])
    assert (out / "index.html").exists()
    assert not list(out.glob("winter/pictures/*.png"))


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_a_folder_or_file_that_cannot_be_written_is_one_sentence(shown, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PenstockError, match=r"file/pages cannot be made \(Not a directory\): name another"):
        export({"winter": shown}, tmp_path / "file" / "pages")
    (tmp_path / "pages/index.html").mkdir(parents=True)
    (tmp_path / "pages" / MARK).touch()
    with pytest.raises(PenstockError, match=r"index.html cannot be written \(Is a directory\)"):
        export({"winter": shown}, tmp_path / "pages")
    assert not list(tmp_path.rglob(".*.[0-9]*")), "no draft is left"


def test_a_picture_behind_a_link_is_not_copied(shown, record, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    [path] = record.root.glob("pictures/2020-01-17_*.png")
    path.unlink()
    path.symlink_to(secret)
    export({"winter": shown}, tmp_path / "pages")
    assert len(list(tmp_path.glob("pages/winter/pictures/*.png"))) == 2


def test_a_campaign_that_cannot_be_read_is_told_beside_the_others(shown, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new/penstock.toml").touch()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/.penstock").touch()
    others = {name: Shown(name, tmp_path / name) for name in ("new", "odd")}
    _, broken = export({**others, "winter": shown}, tmp_path / "pages")
    assert [one.name for one in broken] == ["new", "odd"]
    text = (tmp_path / "pages/index.html").read_text()
    assert "nothing has been run in" in text
    assert "winter/index.html" in text


def test_pages_of_a_campaign_that_is_away_stay_as_they_were(shown, tmp_path):
    export({"winter": shown}, tmp_path / "pages")
    before = files_in(tmp_path / "pages")
    (shown.root / ".penstock").rename(tmp_path / "away")
    done = CliRunner().invoke(cli, ["serve", str(shown.root), "--export", str(tmp_path / "pages")])
    assert done.exit_code == 1
    assert "penstock: winter: nothing has been run in" in done.stderr
    assert files_in(tmp_path / "pages") == before


def test_the_date_is_on_every_page_without_a_script(shown, tmp_path):
    export({"winter": shown}, tmp_path / "pages")
    for page in (tmp_path / "pages").rglob("*.html"):
        assert re.search(r"written 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", page.read_text()), page


def test_a_drawing_is_shown_and_never_opened_as_a_page_of_ours(shown, record, tmp_path):
    record.db.execute("UPDATE product SET path = 'pictures/a.svg' WHERE path LIKE '%2020-01-17%'")
    (record.root / "pictures/a.svg").write_text(
        "<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"
    )
    export({"winter": shown}, tmp_path / "pages")
    text = (tmp_path / "pages/winter/pictures.html").read_text()
    assert re.search(r'<img src="[^"]+\.svg"', text)
    assert not re.search(r'<a href="[^"]+\.svg"', text)
    assert re.search(r'<a href="[^"]+\.png"', text)


def test_only_one_writes_pages_at_a_time(shown, tmp_path):
    with alone(make(tmp_path / "pages")), pytest.raises(DefinitionError, match=r"another .* writes into"):
        export({"winter": shown}, tmp_path / "pages")
    export({"winter": shown}, tmp_path / "pages")


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_campaigns_have_short_names_that_differ(tmp_path):
    folders = [tmp_path / name for name in ("a/winter 26", "b/winter-26", "c/été")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "penstock.toml").touch()
    assert list(shown_in([*folders, folders[0]])) == ["winter-26", "winter-26-2", "t"]
    with pytest.raises(DefinitionError, match="is not a campaign"):
        shown_in([tmp_path])

"""Index pages: what they list, that hostile names are inert, and whose pages are left alone."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.publishing.conftest import NIGHTS, ODD, Sky

from penstock.publishing.index import write_page
from penstock.transports.protocol import Entry


class Seen(HTMLParser):
    """The links and the tags of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.links, self.tags, self.text = list[str](), set[str](), ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [str(value) for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_leads_to_each_file_whatever_its_name_is() -> None:
    names = [*ODD, "\udcff"]
    seen = Seen(write_page("x", {name: Entry(1, 0.0) for name in names}))
    assert not seen.tags & {"script", "img", "link", "iframe"}
    assert {unquote(link, errors="surrogateescape") for link in seen.links} == {
        "../",
        *(f"./{name}" for name in names),
    }
    assert {urlsplit(link).scheme for link in seen.links} == {""}
    assert "<script>alert(1)</script>" in seen.text


def test_pages_list_what_is_there_and_lead_down_and_up(done: Sky) -> None:
    done.publish()
    top = Seen((done.public / "index.html").read_bytes())
    assert top.links == ["./dl1/", "./parts/", "./sums/"]
    night = Seen((done.public / f"dl1/{NIGHTS[0]}/index.html").read_bytes())
    assert night.links == ["../", "./a.txt", "./b.txt"]


def test_a_page_of_somebody_else_is_left_alone(done: Sky) -> None:
    done.public.mkdir()
    (done.public / "index.html").write_text("<h1>Our telescope</h1>")
    done.publish()
    assert (done.public / "index.html").read_text() == "<h1>Our telescope</h1>"
    assert (done.public / "dl1/index.html").exists()


def test_a_product_may_be_the_page(done: Sky) -> None:
    done.publish()
    done.define('files = ["sum", ', 'files = [{ stage = "sum", to = "sums/{night}/index.html" }, ')
    for _ in range(2):
        done.publish()
        page = done.public / f"sums/{NIGHTS[0]}/index.html"
        assert page.read_bytes() == (done.root / f"sums/{NIGHTS[0]}.txt").read_bytes()


def test_whoever_publishes_meanwhile_is_on_the_page(done: Sky, tmp_path: Path) -> None:
    for night in NIGHTS:
        done.publish(unit=f'["{night}"]')
    both = (done.public / "dl1/index.html").read_bytes()
    assert all(f"./{night}/" in Seen(both).links for night in NIGHTS)

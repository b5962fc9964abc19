"""Pages of pictures: a season's spectrograms, a page a day, small ones side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock.workflows.reports.page import write_page

MOST = 288  # pictures on a page: a day of five minutes each
UNKNOWN = "undated"

ALBUM = """<p><a href="../{{ back }}">{{ whole }}</a>
{% if before %} · <a href="{{ before.file }}">← {{ before.title }}</a>{% endif %}
{% if after %} · <a href="{{ after.file }}">{{ after.title }} →</a>{% endif %}</p>
<p>{{ colours }}</p>
<div class="grid">
{% for each in album.pictures %}<figure id="{{ each.name }}"><a href="{{ each.link }}">
<img loading="lazy" src="{{ each.link }}" alt="{{ each.name }}"></a>
<figcaption>{{ each.name }}{% if each.why %}: {{ each.why }}{% endif %}</figcaption></figure>
{% endfor %}</div>"""


@dataclass(frozen=True, slots=True)
class Picture:
    """A spectrogram: its link as seen from an album, and what is to be said of its recording."""

    name: str
    link: str
    day: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Album:
    """The pictures of one day, or a part of a day's."""

    title: str
    file: str
    pictures: Sequence[Picture]


def name_of(picture: Path) -> str:
    """Name a picture, with the memory card that its recording is from."""
    card = picture.parent.name
    return picture.stem if card == "pictures" else f"{card}/{picture.stem}"


def day_of(name: str, days: Mapping[str, str]) -> str:
    """Give the day (UTC) of a picture by its name: that of a recording, of a segment in it, or a time."""
    day = days.get(name) or days.get(re.sub(r"_\d+$", "", name))
    match = re.match(r"(\d{4})(\d{2})(\d{2})T\d{6}", name)
    return day or ("-".join(match.groups()) if match else UNKNOWN)


def bind(pictures: Sequence[Picture]) -> Iterator[Album]:
    """Put pictures into albums, a day each, or several for a day of many."""
    days: dict[str, list[Picture]] = {}
    for each in pictures:
        days.setdefault(each.day, []).append(each)
    for day, some in sorted(days.items()):
        parts = [some[i : i + MOST] for i in range(0, len(some), MOST)]
        for number, part in enumerate(parts, start=1):
            more = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
            yield Album(f"{day}{more}", f"{day}{f'_{number}' if more else ''}.html", part)


def write_albums(folder: Path, albums: Sequence[Album], *, title: str, back: str, colours: str) -> None:
    """Write a page an album, each with links to the ones beside it and back."""
    folder.mkdir(parents=True, exist_ok=True)
    for before, album, after in zip([None, *albums], albums, [*albums[1:], None], strict=False):
        beside = {"whole": title, "back": back, "before": before, "after": after}
        name, about = f"{title}: {album.title}", {"album": album, "colours": colours}
        write_page(folder / album.file, ALBUM, title=album.title, name=name, **beside, **about)

import re

from penstock.workflows.acoustics.albums import MOST, Picture, bind, day_of, write_albums


def pictures(day, count):
    return [Picture(f"{day}_{i:04d}", f"../pictures/{day}_{i:04d}.png", day) for i in range(count)]


def test_a_season_is_bound_into_a_page_a_day_and_several_of_a_full_day():
    albums = list(bind([*pictures("2026-01-18", 2), *pictures("2026-01-17", 2 * MOST + 1)]))
    assert [(album.file, len(album.pictures)) for album in albums] == [
        ("2026-01-17_1.html", MOST),
        ("2026-01-17_2.html", MOST),
        ("2026-01-17_3.html", 1),
        ("2026-01-18.html", 2),
    ]


def test_the_day_of_a_picture_is_that_of_its_recording_or_of_its_name():
    days = {"a_20260117_235900": "2026-01-17"}
    names = ["a_20260117_235900", "a_20260117_235900_3", "20260118T000100", "20260118T000100_250", "x"]
    assert [day_of(name, days) for name in names] == ["2026-01-17"] * 2 + ["2026-01-18"] * 2 + ["undated"]


def test_pages_lead_to_each_other_and_back_and_load_pictures_when_they_are_seen(tmp_path):
    albums = list(bind([*pictures("2026-01-17", 1), *pictures("2026-01-18", 2), *pictures("2026-01-19", 1)]))
    about = {"title": "a <sea>", "back": "index.html", "colours": "one range"}
    write_albums(tmp_path / "days", albums, **about)
    page = (tmp_path / "days/2026-01-18.html").read_text()
    links = re.findall(r'href="([^"]+)"', page)
    assert links[:3] == ["../index.html", "2026-01-17.html", "2026-01-19.html"]
    assert page.count('loading="lazy"') == 2
    assert "a &lt;sea&gt;" in page

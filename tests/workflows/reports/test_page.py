from penstock.workflows.reports.page import write_page


def test_a_page_has_its_title_its_facts_and_its_body(tmp_path):
    write_page(tmp_path / "a.html", "<p>{{ n }} runs</p>", title="Night", facts=[("telescope", "LST-1")], n=3)
    text = (tmp_path / "a.html").read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "<title>Night</title>" in text
    assert "<dt>telescope</dt><dd>LST-1</dd>" in text
    assert text.endswith("<p>3 runs</p>\n</body></html>")


def test_names_of_files_are_no_markup(tmp_path):
    write_page(tmp_path / "a.html", "{{ file }}", title="<b>", facts=[("<i>", "<u>")], file="<script>")
    text = (tmp_path / "a.html").read_text("utf-8")
    assert not any(tag in text for tag in ("<b>", "<i>", "<u>", "<script>"))


def test_a_tab_may_have_another_name_than_the_page(tmp_path):
    write_page(tmp_path / "a.html", "", title="17 January", name="winter: 17 January")
    text = (tmp_path / "a.html").read_text("utf-8")
    assert "<title>winter: 17 January</title>" in text
    assert "<h1>17 January</h1>" in text


def test_a_name_that_is_not_utf_8_does_not_stop_a_page(tmp_path):
    write_page(tmp_path / "a.html", "{{ file }}", title="t", file="a\udcff.wav")
    assert b"a&#56575;.wav" in (tmp_path / "a.html").read_bytes()

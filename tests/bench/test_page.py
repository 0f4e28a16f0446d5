"""The benchmark of the page says why it is left out, where it is."""

import pytest

from bench import page
from bench.__main__ import BENCHMARKS


def test_without_a_browser_the_page_is_left_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "page" in BENCHMARKS
    monkeypatch.setattr(page, "find_chromium", lambda: None)
    assert page.main() == []
    assert "apt-get install chromium" in capsys.readouterr().out


def test_bytes_are_told_apart_by_what_they_are() -> None:
    kinds = {
        "http://127.0.0.1:1/": "HTML",
        "http://127.0.0.1:1/graphql?query=%7B%7D": "JSON",
        "http://127.0.0.1:1/page.json": "JSON",
        "http://127.0.0.1:1/assets/dashboard-1.js": "JavaScript",
        "http://127.0.0.1:1/assets/dashboard-1.css": "CSS",
        "http://127.0.0.1:1/assets/icon-1.svg": "pictures",
    }
    assert {url: page._kind(url) for url in kinds} == kinds

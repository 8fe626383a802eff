"""The pages about the policies: every example runs, every link leads somewhere, every page says when and when not."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"
PAGES = [DOCS / "runtime.md", *sorted((DOCS / "runtime").glob("*.md"))]
BLOCKS = [
    pytest.param(page, number, block, id=f"{page.stem}-{number}")
    for page in PAGES for number, block in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S))
]


@pytest.mark.parametrize(("page", "number", "block"), BLOCKS)
def test_the_example_runs_as_it_stands(page: Path, number: int, block: str) -> None:
    exec(compile(block, f"{page.name}, example {number}", "exec"), {"__name__": "example"})


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.stem)
def test_a_page_says_when_to_use_it_and_when_not_and_shows_it(page: Path) -> None:
    text = page.read_text()
    assert "**Use it" in text or "**Use them" in text
    assert "**Do not" in text
    assert "```python" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_to_a_page(page: Path) -> None:
    missing = [link for link in re.findall(r"\]\(([^)#]+\.md)\)", page.read_text()) if not (page.parent / link).is_file()]
    # The page of the breaker is written with the breaker.
    assert missing == []

"""Pages lead to one another: every link somewhere, and some link to every page."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
START = ROOT / "README.md"
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "models/README.md"]


def links(page):
    """Paths that a page links to, or shows as pictures."""
    for target in re.findall(r"\]\(([^)\s#:]+)(?:#[^)]*)?\)", page.read_text()):
        yield (page.parent / target).resolve()


def test_links_between_pages_lead_somewhere():
    gone = {(page.name, to.name) for page in PAGES for to in links(page) if not to.exists()}
    assert not gone


def test_every_page_can_be_reached_from_the_readme():
    reached, coming = set(), [START]
    while coming:
        page = coming.pop()
        if page not in reached:
            reached.add(page)
            coming += [to for to in links(page) if to.suffix == ".md" and to.exists()]
    assert not {str(page.relative_to(ROOT)) for page in PAGES if page not in reached}


def test_every_picture_of_the_docs_is_shown_somewhere():
    shown = {to for page in PAGES for to in links(page)}
    pictures = {p for p in (ROOT / "docs").rglob("*") if p.suffix in {".png", ".svg"}}
    assert not pictures - shown

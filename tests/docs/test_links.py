"""Links, pictures, paths and sources that the pages name."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, REPOSITORY, inline, name

LINK = re.compile(r"!?\[[^\]\[]*\]\((?P<target>[^)\s]+)\)")
FOLDERS = "anomaly|benchmarks|blender_addon|diffusion_refine|docs|procgen|scenes|tests|tools"
PATH = re.compile(rf"^(?:{FOLDERS})/[\w./-]*$")
DOTTED = re.compile(rf"^(?P<module>(?:{FOLDERS})(?:\.\w+)+)(?:\(\))?$")
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}\b")  # of a name that the reader is to choose, as in KIND.yaml
KEY = re.compile(r"\[(?P<key>[A-ZÀ-Ž][\w-]+ (?:19|20)\d\d)\]")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for found in LINK.finditer(page.read_text(encoding="utf-8")):
        path, _, anchor = found["target"].partition("#")
        if path.startswith(("http:", "https:")):
            continue
        target = page.parent / path if path else page
        assert target.is_file(), f"{name(page)} links to {found['target']}, which is not there"
        assert not anchor or anchor in anchors(target), f"{name(page)}: {target.name} has no heading {anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_paths_and_modules_exist(page: Path) -> None:
    for written in inline(page):
        if PATH.match(written):
            pattern = PLACEHOLDER.sub("*", written)
            assert list(REPOSITORY.glob(pattern)), f"{name(page)} names {written}, which is not there"
        elif (found := DOTTED.match(written)) and not written.endswith((".md", ".csv", ".py", ".json")):
            assert resolves(found["module"].split(".")), f"{name(page)} names {written}, which is not there"


def resolves(parts: list[str]) -> bool:
    """Whether a dotted name is a module, or a name written in one; nothing is imported."""
    for length in range(len(parts), 0, -1):
        path = REPOSITORY.joinpath(*parts[:length])
        for source in (path.with_suffix(".py"), path / "__init__.pyi", path / "__init__.py"):
            if source.is_file():
                rest = parts[length:]
                return not rest or re.search(rf"\b{rest[0]}\b", source.read_text(encoding="utf-8")) is not None
    return False


def test_every_source_that_is_cited_stands_in_the_references() -> None:
    known = set(KEY.findall((REPOSITORY / "docs" / "references.md").read_text(encoding="utf-8")))
    cited = {
        (key, name(path))
        for folder in FOLDERS.split("|")
        for path in (REPOSITORY / folder).rglob("*")
        if path.suffix in (".py", ".md", ".yaml") and path.name != "references.md"
        for key in KEY.findall(path.read_text(encoding="utf-8"))
    }
    assert {key for key, _ in cited} >= {"Mao 2025", "Jo 2025"}
    assert sorted((key, path) for key, path in cited if key not in known) == []

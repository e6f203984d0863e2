"""The pages of the repository, and what is written in them as code."""

import re
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        REPOSITORY / "README.md",
        REPOSITORY / "CONTRIBUTING.md",
        *(REPOSITORY / "docs").glob("*.md"),
        *REPOSITORY.glob("anomaly/**/*.md"),
        *REPOSITORY.glob("diffusion_refine/**/*.md"),
    ]
)
FENCE = re.compile(r"^(?P<fence>```+)(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")


def name(page: Path) -> str:
    """The page as tests call it."""
    return page.relative_to(REPOSITORY).as_posix()


def fenced(page: Path, language: str) -> list[str]:
    """The blocks of a language."""
    text = page.read_text(encoding="utf-8")
    return [found["text"] for found in FENCE.finditer(text) if found["language"].strip() == language]


def prose(page: Path) -> str:
    """The page without its fenced and indented blocks."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return "\n".join(line for line in text.splitlines() if not line.startswith("    "))


def shell_lines(page: Path) -> Iterator[str]:
    """Lines of the page's indented and shell blocks, continued ones joined."""
    text = page.read_text(encoding="utf-8")
    lines = [line[4:] for line in FENCE.sub("", text).splitlines() if line.startswith("    ")]
    for block in FENCE.finditer(text):
        if block["language"].strip() in ("sh", "bash", "console", "shell", ""):
            lines += block["text"].splitlines()
    yield from "\n".join(lines).replace("\\\n", " ").splitlines()


def inline(page: Path) -> list[str]:
    """What the page's sentences have in backticks."""
    return INLINE.findall(prose(page))

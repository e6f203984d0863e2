"""Fixtures that every package's tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run: a test that fails, fails again. Loaded before any test takes its own settings.
settings.register_profile("derandomized", derandomize=True, deadline=None)
settings.load_profile("derandomized")

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much `tests/faults` does; `make test-faults` asks for more."""
    parser.addoption("--kills", type=int, default=2, help="kills of every stage")
    parser.addoption("--calls", type=int, default=3, help="file-system calls to die at, of every stage; 0: all")
    parser.addoption("--flips", type=int, default=60, help="damages to a dataset")


@pytest.fixture(scope="session")
def card() -> str:
    """The graphics card that torch finds; skips where there is none."""
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    pytest.skip("torch finds no graphics card")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real inspection photographs, beside the checkout or at $BLEMISH_DATA; skips where it is absent."""
    folder = Path(os.environ.get("BLEMISH_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no real photographs at {folder}; set BLEMISH_DATA to their folder")
    return folder

"""One way for every benchmark to measure, to print its table and to write the same figures as JSON."""

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Figure = str | float | int | None
Likeness = Callable[[Any, Any], float]  # of two pictures (H, W, 3) in [0, 1]
WIDE = 240  # characters a table may take in a file, where nothing wraps it


def anomalib_patchcore() -> Any:
    """Anomalib's Patchcore on the stages that ours sees with, those of strides 8 and 16; untrained."""
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    return PatchcoreModel(layers=["blocks.2", "blocks.4"], backbone="mobilenetv3_large_100", pre_trained=False)


def add_lpips(parser: argparse.ArgumentParser) -> None:
    """The options that `lpips_of` reads."""
    parser.add_argument("--lpips", type=Path, help="torchvision's weights of a backbone, to print LPIPS")
    parser.add_argument("--lpips-network", default="alex", choices=("alex", "vgg", "squeeze"))


def lpips_of(given: argparse.Namespace) -> Likeness | None:
    """What measures LPIPS; None where no weights are named."""
    from diffusion_refine.metrics.fidelity import lpips

    return partial(lpips, backbone=given.lpips, network=given.lpips_network) if given.lpips else None


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Median wall time of `work` in seconds over `repeats` calls, after one call that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_now() -> int:
    """KiB that this process has held at most since its peak was last forgotten (Linux)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1])


def report(rows: Sequence[Mapping[str, Figure]], json_path: Path | None = None, title: str | None = None) -> None:
    """Print rows as one table, columns in the order they first appear; write them unrounded to `json_path` if given."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(title=title)
    for name in columns:
        is_text = any(isinstance(row.get(name), str) for row in rows)
        table.add_column(name, justify="left" if is_text else "right")
    for row in rows:
        table.add_row(*(_shown(row.get(name)) for name in columns))
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)
    if json_path is not None:
        write(list(rows), json_path)


def write(figures: object, path: Path) -> None:
    """Write figures as JSON, unrounded."""
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _shown(figure: Figure) -> str:
    if figure is None:
        return ""
    return f"{figure:.3g}" if isinstance(figure, float) else str(figure)

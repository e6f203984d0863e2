"""What was drawn, laid out as the published code does: sample/, grid/ and log/ in a dataset's folder.

sample/NAME_CLASS_cxX_cyY_K.png     each drawing; X and Y are the box's centre in pixels, K counts from 0
grid/NAME_CLASS_cxX_cyY_grid.png    the picture, and its drawings beside it
log/generation.log                  a line a drawing
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from diffusion_refine.editing.pixels import Pixels, colour
from diffusion_refine.synthesis.crg.labels import plain
from diffusion_refine.synthesis.generator import FrameSource
from scenes.datasets.files import write_atomically
from scenes.datasets.reader import Dataset
from scenes.pictures import png

SAMPLE, GRID, LOG = "sample", "grid", "log/generation.log"


def write_paper_layout(made: Dataset, source: FrameSource) -> int:
    """Write the three folders beside the dataset's own, and give the number of drawings."""
    for name in (SAMPLE, GRID, Path(LOG).parent.name):
        (made.path / name).mkdir(exist_ok=True)
    drawings: dict[str, list[Pixels]] = {}
    before: dict[str, Pixels] = {}
    lines = []
    for frame in made:
        record = frame.refinement or {}
        if not record.get("pasted"):
            lines.append(f"frame {frame.index}: {record.get('outcome')}")
            continue
        piece = record["pasted"][0]
        left, top, width, height = piece["given"]
        stem = Path(record["parents"][0]["photo"]).stem
        name = f"{stem}_{plain(piece['class'])}_cx{int(left + width / 2)}_cy{int(top + height / 2)}"
        original, _ = source.at(frame.index)
        before[name] = original.image
        number = len(drawings.setdefault(name, []))
        drawings[name].append(frame.image)
        write_atomically(made.path / SAMPLE / f"{name}_{number}.png", png.encode(frame.image))
        calls = record["unet_calls"]
        lines.append(
            f"frame {frame.index}: {name}_{number}.png, box {piece['given']} as given and {piece['drawn']} as drawn, "
            f"{calls['context']} calls of the context and {calls['prior']} of the prior"
        )
    for name, pictures in drawings.items():
        write_atomically(made.path / GRID / f"{name}_grid.png", _grid([before[name], *pictures]))
    write_atomically(made.path / LOG, ("\n".join(lines) + "\n").encode())
    return sum(map(len, drawings.values()))


def _grid(pictures: list[Pixels]) -> bytes:
    """Pictures side by side, of 8 bits, as a PNG."""
    row = np.concatenate([np.rint(colour(picture) * 255).astype(np.uint8) for picture in pictures], axis=1)
    content = BytesIO()
    Image.fromarray(row).save(content, format="png")
    return content.getvalue()

"""A page to draw on a picture where to look; it saves a PNG of levels, and works from a file, without a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from anomaly.reporting import report_pictures as pictures
from anomaly.reporting.report import ReportError
from scenes.datasets.errors import DatasetError
from scenes.datasets.files import write_atomically

SHOWN_LENGTH = 1600  # pixels, longest side of the picture on the page; what is saved has the picture's own size


def write_regions_page(path: Path, image: NDArray[np.uint8], name: str) -> Path:
    """Write the page for an RGB image (H, W, 3) of that name, and return its path. Raises ReportError."""
    height, width = image.shape[:2]
    size = pictures.fitted(width, height, SHOWN_LENGTH)
    environment = Environment(
        loader=PackageLoader("anomaly.reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    html = environment.get_template("regions.html").render(
        name=name,
        width=width,
        height=height,
        shown_width=size[0],
        shown_height=size[1],
        picture=pictures.jpeg(pictures.shrunk(image, size), 90),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, html.encode())
    except OSError as error:
        raise ReportError(f"{path}: cannot be written ({error.strerror}); choose another --out") from error
    except DatasetError as error:
        raise ReportError(str(error)) from error
    return path

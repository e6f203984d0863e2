"""Pictures as an inspector looks at them: scaled, in one piece or in tiles, perhaps only in part a surface."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from torch import Tensor

from anomaly.backbone.normalisation import normalised
from anomaly.inspection.computing import Computing
from anomaly.inspection.tiles import Size, Tile, scaled_mask_part, scaled_part, scaled_size, tiles_of
from scenes.pictures.on_disk import Rows

Picture = tuple[Rows, Rows | None]  # RGB (H, W, 3) uint8; where it shows the surface (H, W) bool


@dataclass(frozen=True)
class View:
    """A picture, where it shows the surface (None: everywhere), its height and width as looked at, and its tiles."""

    image: Rows
    mask: Rows | None
    scale: float
    size: Size
    tiles: list[Tile]

    @classmethod
    def of(cls, picture: Picture, scale: float, tile: int | None) -> View:
        """That of a picture at `scale`; tile: see `tiles_of`."""
        size = scaled_size(picture[0].shape, scale)
        return cls(*picture, scale, size, tiles_of(size, tile))

    @property
    def is_whole(self) -> bool:
        """Whether it is looked at in one piece."""
        return len(self.tiles) == 1

    def seen(self, tile: Tile) -> Tensor:
        """(1, 3, h, w) what is seen of a tile, ImageNet-normalised."""
        return normalised(self.image, self.scale) if self.is_whole else scaled_part(self.image, self.size, tile.seen)

    def valid_mask(self, part: tuple[slice, slice]) -> Tensor | None:
        """(1, h, w) bool: where a part of it shows the surface."""
        return None if self.mask is None else scaled_mask_part(self.mask, self.size, part)


def views(
    pictures: Iterable[Picture],
    scale: float,
    tile: int | None,
    computing: Computing,
    compute: Callable[[Tensor], Tensor],
) -> Iterator[tuple[View, Iterator[Tensor]]]:
    """Each picture with `compute` of its tiles (1, …), which are to be taken before the next; a card reads ahead."""
    waiting: deque[View] = deque()

    def tiles() -> Iterator[Tensor]:
        for view in map(lambda picture: View.of(picture, scale, tile), pictures):
            waiting.append(view)
            yield from map(view.seen, view.tiles[:-1])
            last = [view.seen(view.tiles[-1])]
            del view  # which this generator would hold until it is asked for the next picture's
            yield last.pop()

    results = computing.each(tiles(), compute)
    for first in results:
        own = chain([first], islice(results, len(waiting[0].tiles) - 1))
        del first
        yield waiting.popleft(), own  # held by whoever takes it alone
        deque(own, maxlen=0)  # what was not taken is none of the next one's
        del own

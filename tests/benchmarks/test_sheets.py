"""Sheets: every picture where its row and its column say."""

import numpy as np

from benchmarks.sheets import GAP, PAPER, TITLE, Row, attention_sheet, heat_over, sheet, swap_sheet
from diffusion_refine.editing.word_swap import Edited, Swapped

COLOURS = ((200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0))


def plain(colour: tuple[int, int, int], height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def test_pictures_stand_where_their_row_and_column_say() -> None:
    rows = [Row("first", [plain(colour, 40, 60) for colour in COLOURS[:2]])]
    rows += [Row("second", [plain(colour, 20, 20) for colour in COLOURS[2:]])]
    found = sheet(["one", "two"], rows, 40)
    assert found.shape == (GAP + TITLE + 2 * (TITLE + 40 + GAP), GAP + 2 * (60 + GAP), 3)
    tops = (GAP + 2 * TITLE, GAP + 2 * TITLE + 40 + GAP + TITLE)
    for place, (colour, side) in enumerate(zip(COLOURS, (60, 60, 40, 40), strict=True)):
        top, left = tops[place // 2], GAP + place % 2 * (60 + GAP)
        assert (found[top : top + 40, left : left + side] == colour).all()
        assert (found[top : top + 40, left + side : left + side + GAP] == PAPER).all()


def edited(photograph: np.ndarray, **colours: tuple[float, float, float]) -> Edited:
    def swapped(word: str, colour: tuple[float, float, float]) -> Swapped:
        picture = np.broadcast_to(np.float32(colour), photograph.shape)
        place = np.zeros(photograph.shape[:2], bool)
        return Swapped(f"photo of a {word} defect", picture, picture, place, None, 1.0, None)

    maps = {"photo": np.eye(4, dtype=np.float32), "crack": np.ones((4, 4), np.float32)}
    return Edited("photo of a crack", photograph, tuple(swapped(*item) for item in colours.items()), maps)


def test_a_swap_stands_under_its_word_and_the_reconstruction_under_the_photographs_own() -> None:
    photograph = np.full((64, 64, 3), 0.5, np.float32)
    found = swap_sheet(["dent", "crack", "rust"], [photograph], [edited(photograph, rust=(1, 0, 0), dent=(0, 0, 1))])
    side = 128  # twice 64, the most that stays below 160
    row = found[GAP + 2 * TITLE + side // 2]
    centres = [GAP + side // 2 + k * (side + GAP) for k in range(4)]
    assert [tuple(row[centre]) for centre in centres] == [(128,) * 3, (0, 0, 255), (128,) * 3, (255, 0, 0)]


def test_a_map_is_brightest_where_its_word_looks() -> None:
    photograph = np.full((64, 64, 3), 0.5, np.float32)
    heat = heat_over(photograph, np.kron(np.array([[0, 0], [0, 1.0]]), np.ones((8, 8)))).astype(int).sum(-1)
    assert heat[48:, 48:].min() > heat[:24, :].max() + 100
    found = attention_sheet([photograph], [edited(photograph)])
    assert found.shape[1] == GAP + 3 * (128 + GAP)

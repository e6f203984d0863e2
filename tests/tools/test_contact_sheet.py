import numpy as np

from scenes.catalogue.registry import GROUPS
from scenes.recipes.examples import catalogue, example
from tools.contact_sheet import LARGEST_CELL, PAGE, PICTURES, page, picture_name, sheet, what_it_is


def test_the_page_lists_every_kind_with_its_knobs():
    text = page()
    for kinds in catalogue().values():
        for kind in kinds:
            assert f"| `{kind}` |" in text
    assert "**severity**, count" in text


def test_the_written_page_is_what_the_sections_say_today():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make catalogue`"
    assert all((PICTURES / picture_name(group)).is_file() for group in GROUPS)


def test_references_in_docstrings_are_followed():
    assert "see `" not in page().lower()
    assert what_it_is(catalogue()["defects"]["dent"]).startswith("Dents: what a hard ball leaves behind")


def test_a_sheet_has_three_cells_of_every_kind():
    shades = iter(range(40, 240, 30))
    width, height = LARGEST_CELL
    examples = [example("defects", "crack"), example("part", "plate")]
    drawn = np.asarray(sheet(examples, lambda scene: np.full((height, width, 3), next(shades), dtype=np.uint8)))
    for shade in range(40, 220, 30):
        assert np.count_nonzero((drawn == shade).all(axis=2)) >= width * height

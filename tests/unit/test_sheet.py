import numpy as np
import pytest
from PIL import Image

from argus_cli import sheet
from argus_cli.sheet import Cell, Row, compose

CYAN = (0, 255, 255)
"""A colour that the sheet has no other use for."""


def cell(*, exact, colour=CYAN):
    return Cell(image=Image.new("RGB", (48, 48), colour), level="best", seconds=0.5, exact=exact)


def made(*rows):
    return compose(rows, title="A title", subtitle="and more")


def row(*cells, caption="a red circle"):
    return Row(caption=caption, note="single", cells=cells)


def count(image, colour):
    return int((np.asarray(image) == np.array(colour)).all(axis=-1).sum())


def test_every_picture_is_shown_whole():
    image = made(row(cell(exact=True), cell(exact=False)), row(cell(exact=True), cell(exact=None)))
    assert count(image, CYAN) == 4 * sheet.PICTURE**2


@pytest.mark.parametrize(
    ("exact", "mark", "others"),
    [
        (True, sheet.RIGHT, [sheet.WRONG]),
        (False, sheet.WRONG, [sheet.RIGHT]),
        (None, sheet.UNKNOWN, [sheet.RIGHT, sheet.WRONG]),
    ],
)
def test_mark_tells_whether_the_picture_is_as_asked(exact, mark, others):
    image = made(row(cell(exact=exact)))
    assert count(image, mark) > 10
    assert [count(image, other) for other in others] == [0] * len(others)


def test_captions_however_long_stay_left_of_the_pictures():
    words = "a large black triangle, two small purple squares and two large yellow circles"
    lines = sheet._wrap(words, sheet.CAPTION - 40, 18)
    assert " ".join(lines) == words
    assert all(sheet._font(18).getlength(line) <= sheet.CAPTION - 40 for line in lines)


def test_sheet_grows_with_rows_and_columns():
    small, tall = made(row(cell(exact=True))), made(*[row(cell(exact=True))] * 3)
    wide = made(row(*[cell(exact=True)] * 3))
    assert tall.width == small.width < wide.width
    assert tall.height > small.height == wide.height

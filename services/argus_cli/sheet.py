"""The contact sheet: prompts down, levels across, each picture with its seconds and a mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

PAPER, CARD, INK, FAINT = (240, 236, 227), (255, 254, 250), (33, 37, 41), (134, 128, 117)
RIGHT, WRONG, UNKNOWN = (47, 158, 68), (224, 49, 49), (134, 128, 117)
PICTURE = 168
"""Pixels a side of a picture on the sheet."""
MARGIN, GAP, CAPTION, FOOT, HEAD = 40, 20, 300, 30, 118


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One picture; `exact` is None where the caption cannot be checked."""

    image: Image.Image
    level: str
    seconds: float
    exact: bool | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """A prompt and its pictures, one a level."""

    caption: str
    note: str
    """A few words under the caption, such as its difficulty."""
    cells: Sequence[Cell]


def compose(rows: Sequence[Row], *, title: str, subtitle: str) -> Image.Image:
    """Lay the sheet out; all rows have the same levels in the same order."""
    columns = len(rows[0].cells)
    width = 2 * MARGIN + CAPTION + columns * (PICTURE + GAP)
    height = HEAD + len(rows) * (PICTURE + FOOT + GAP) + MARGIN
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, 28), title, fill=INK, font=_font(26))
    draw.text((MARGIN, 64), subtitle, fill=FAINT, font=_font(14))
    for column, cell in enumerate(rows[0].cells):
        draw.text((_left(column), HEAD - 26), cell.level, fill=INK, font=_font(16))
    for index, row in enumerate(rows):
        _draw_row(sheet, draw, row, HEAD + index * (PICTURE + FOOT + GAP))
    return sheet


def _draw_row(sheet: Image.Image, draw: ImageDraw.ImageDraw, row: Row, top: int) -> None:
    y = top + PICTURE // 2 - 30
    for line in _wrap(row.caption, CAPTION - 40, 18):
        draw.text((MARGIN, y), line, fill=INK, font=_font(18))
        y += 25
    draw.text((MARGIN, y + 4), row.note, fill=FAINT, font=_font(14))
    for column, cell in enumerate(row.cells):
        _draw_cell(sheet, draw, cell, (_left(column), top))


def _draw_cell(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, cell: Cell, corner: tuple[int, int]
) -> None:
    x, y = corner
    box = (x - 1, y - 1, x + PICTURE, y + PICTURE + FOOT)
    draw.rounded_rectangle(box, radius=6, fill=CARD, outline=(222, 216, 204))
    picture = cell.image.convert("RGB").resize((PICTURE, PICTURE), Image.Resampling.BICUBIC)
    sheet.paste(picture, corner)
    baseline = y + PICTURE + FOOT // 2
    draw.text((x + 10, baseline), f"{cell.seconds:.2f} s", fill=FAINT, font=_font(14), anchor="lm")
    _draw_mark(draw, cell.exact, (x + PICTURE - 18, baseline))


def _draw_mark(
    draw: ImageDraw.ImageDraw,
    exact: bool | None,  # noqa: FBT001 - private
    centre: tuple[int, int],
) -> None:
    """A check, a cross, or a dash: drawn, as the default font lacks them."""
    x, y = centre
    if exact is None:
        draw.line((x - 6, y, x + 6, y), fill=UNKNOWN, width=3)
    elif exact:
        draw.line((x - 7, y, x - 2, y + 6, x + 7, y - 6), fill=RIGHT, width=3, joint="curve")
    else:
        draw.line((x - 5, y - 5, x + 5, y + 5), fill=WRONG, width=3)
        draw.line((x - 5, y + 5, x + 5, y - 5), fill=WRONG, width=3)


def _left(column: int) -> int:
    return MARGIN + CAPTION + column * (PICTURE + GAP)


def _wrap(text: str, width: int, size: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and _font(size).getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)

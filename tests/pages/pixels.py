"""What is really to be seen: a page on the screen, and on each of the sheets that it is printed on, as pixels."""

import base64
import io
from dataclasses import dataclass

import pypdfium2
from PIL import Image, ImageChops, ImageFilter
from playwright.async_api import Locator, Page

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]
PAPERS = {"A4": (8.27, 11.69), "Letter": (8.5, 11.0)}
"""Inches."""


async def seen(place: Locator) -> Image.Image:
    """A place as it is on the screen."""
    return Image.open(io.BytesIO(await place.screenshot())).convert("RGB")


def box_of(image: Image.Image, colour: Colour) -> Box | None:
    """Around all that has about this colour, but for single pixels; None where nothing has.

    Where two colours meet, a third lies between them.
    """
    return _alike(image, colour).filter(ImageFilter.MinFilter(3)).filter(ImageFilter.MaxFilter(3)).getbbox()


def share_of(image: Image.Image, colour: Colour) -> float:
    """How much of an image has about this colour, from 0 to 1."""
    return _alike(image, colour).histogram()[255] / (image.width * image.height)


def coloured(image: Image.Image) -> int:
    """How many pixels are more than a shade of grey."""
    red, green, blue = image.split()
    lightest = ImageChops.lighter(red, ImageChops.lighter(green, blue))
    darkest = ImageChops.darker(red, ImageChops.darker(green, blue))
    return sum(ImageChops.difference(lightest, darkest).histogram()[40:])


def filled(bar: Image.Image) -> float:
    """How far a bar is filled, from 0 to 1, with the colour that it begins with: half way down."""
    middle = bar.crop((4, bar.height // 2, bar.width - 4, bar.height // 2 + 1))
    first = middle.getpixel((0, 0))
    assert isinstance(first, tuple)
    return share_of(middle, (first[0], first[1], first[2]))


@dataclass(frozen=True)
class Sheet:
    """One printed page."""

    words: str
    """With spaces also where the letters of a word stand a little apart."""
    image: Image.Image


def squeezed(words: str) -> str:
    """Without spaces, so that words can be looked for on a sheet."""
    return "".join(words.split())


async def printed(page: Page, paper: str) -> list[Sheet]:
    """The page as Chromium prints it where nobody asks for backgrounds."""
    width, height = PAPERS[paper]
    session = await page.context.new_cdp_session(page)
    asked = {"printBackground": False, "paperWidth": width, "paperHeight": height}
    pdf = await session.send("Page.printToPDF", asked)
    await session.detach()
    document = pypdfium2.PdfDocument(base64.b64decode(pdf["data"]))
    try:
        return [
            Sheet(
                words=sheet.get_textpage().get_text_range(),
                image=sheet.render(scale=2).to_pil().convert("RGB"),
            )
            for sheet in document
        ]
    finally:
        document.close()


def _alike(image: Image.Image, colour: Colour) -> Image.Image:
    """White where a colour is, black elsewhere."""
    apart = ImageChops.difference(image, Image.new("RGB", image.size, colour))
    red, green, blue = (band.point(lambda by: 255 if by <= 12 else 0) for band in apart.split())
    return ImageChops.darker(red, ImageChops.darker(green, blue))

"""The one decoder of pictures: the pixels that a viewer shows, in preparation and in a request alike."""

import base64
import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from dsray.base import RequestError
from dsray.data import columns_of, prepare_table
from dsray.data.counts import count_rows
from dsray.data.schema import Schema
from dsray.inputs import ImageSpec
from dsray.inputs.pictures import UNREADABLE, WrongSize, decode

GREY = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
COLOUR = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 14


def written(image: Image.Image | np.ndarray, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def chunks(*parts: tuple[bytes, bytes]) -> bytes:
    """A PNG written by hand, for what Pillow cannot write."""
    body = (struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def by_hand(
    width: int, height: int, depth: int, colour: int, lines: list[bytes], *between: tuple[bytes, bytes]
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + line for line in lines))
    return chunks((b"IHDR", header), *between, (b"IDAT", pixels), (b"IEND", b""))


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


@pytest.fixture
def schema() -> Schema:
    return Schema(image=ImageSpec(column="i", channels=3, height=2, width=3), label="l", classes=("a", "b"))


# turned


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (1, lambda shown: shown),
        (2, np.fliplr),
        (3, lambda shown: np.rot90(shown, 2)),
        (4, np.flipud),
        (5, lambda shown: shown.T),
        (6, lambda shown: np.rot90(shown, 1)),
        (7, lambda shown: np.rot90(shown, 2).T),
        (8, lambda shown: np.rot90(shown, -1)),
        (9, lambda shown: shown),
    ],
)
def test_a_picture_is_turned_as_its_exif_says(orientation, stored):
    content = written(np.ascontiguousarray(stored(GREY)), exif=exif(orientation))
    assert np.array_equal(decode(content, 1, (2, 3)).pixels[..., 0], GREY)


def test_a_turned_jpeg_is_the_same_in_preparation_and_in_a_request(schema):
    pixels = np.kron(COLOUR, np.ones((8, 8, 1), np.uint8))
    content = written(np.rot90(pixels).copy(), "JPEG", quality=95, exif=exif(6))
    spec = schema.inputs["image"].replace(height=16, width=24)
    turned = schema.replace(inputs={"image": spec})
    prepared = prepare_table(pa.table({"i": [content]}), turned)["image"].combine_chunks().flatten().to_numpy()
    assert np.abs(prepared.reshape(3, 16, 24).astype(int) - pixels.transpose(2, 0, 1)).mean() < 8
    asked = columns_of([{"image": base64.b64encode(content).decode()}], turned)["image"]
    assert np.array_equal(asked.reshape(-1), prepared.astype(np.float32) / np.float32(255))


def test_the_size_of_a_request_is_judged_as_shown_and_before_the_pixels_are_read():
    body = written(np.zeros((24, 16), np.uint8), "JPEG", exif=exif(6))
    assert decode(body, 1, (16, 24)).pixels.shape == (16, 24, 1)
    with pytest.raises(WrongSize, match="16x24 pixels"):
        decode(body, 1, (24, 16))
    with pytest.raises(WrongSize, match="60x50 pixels"):
        decode(by_hand(50, 60, 8, 0, []), 1, (50, 50))  # its pixels are not there to be read


def test_a_png_may_say_how_it_is_turned_behind_its_pixels():
    turned = written(np.rot90(GREY).copy(), exif=exif(6))
    place = turned.index(b"eXIf") - 4
    size = 12 + struct.unpack(">I", turned[place : place + 4])[0]
    moved = turned[:place] + turned[place + size : -12] + turned[place : place + size] + turned[-12:]
    assert np.array_equal(decode(moved, 1, (2, 3)).pixels[..., 0], GREY)
    with pytest.raises(WrongSize, match="2x3 pixels"):
        decode(moved, 1, (3, 2))


@pytest.mark.parametrize("broken", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0nonsense" * 9])
def test_exif_that_says_nothing_leaves_a_picture_as_it_is_stored(broken, recwarn):
    content = written(np.zeros((16, 24), np.uint8) + 90, "JPEG", exif=broken)
    assert np.abs(decode(content, 1).pixels.astype(int) - 90).max() <= 2
    assert not recwarn.list


def test_the_pictures_of_a_phone_that_writes_several_into_one_file():
    content = written(Image.fromarray(np.full((16, 24), 90, np.uint8)), "MPO", save_all=True, append_images=[])
    assert decode(content, 1, (16, 24)).pixels.shape == (16, 24, 1)


# transparent

ALPHA = np.array([[0, 255, 128], [255, 0, 255]], np.uint8)


def over_white(pixels: np.ndarray) -> np.ndarray:
    alpha = (ALPHA / 255)[..., None] if pixels.ndim == 3 else ALPHA / 255
    return np.round(pixels * alpha + 255 * (1 - alpha))


def palette_with_alpha() -> bytes:
    image = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3), "P")
    image.putpalette(COLOUR.reshape(-1).tolist())
    return written(image, transparency=ALPHA.tobytes())


@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_of_every_form_is_laid_over_white(channels):
    rgba = written(np.dstack([COLOUR, ALPHA]))
    la = written(np.dstack([GREY, ALPHA]))
    la16 = by_hand(3, 2, 16, 4, [row.tobytes() for row in (np.dstack([GREY, ALPHA]) * 257.0).astype(">u2")])
    for content, shown in ((rgba, COLOUR), (palette_with_alpha(), COLOUR), (la, GREY), (la16, GREY)):
        expected = over_white(shown)
        if channels == 1 and shown.ndim == 3:
            expected = np.asarray(Image.fromarray(expected.astype(np.uint8)).convert("L"))
        picture = decode(content, channels)
        expected = expected if expected.ndim == 3 else np.stack([expected] * channels, axis=2)
        assert np.abs(picture.pixels.astype(int) - expected).max() <= 1
        assert picture.transparent


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (written(np.array([[7, 8, 7]], np.uint8), transparency=7), [255, 8, 255]),
        (by_hand(3, 1, 1, 0, [b"\xa0"], (b"tRNS", b"\0\0")), [255, 255, 255]),  # 1 0 1, of which 0 is transparent
        (by_hand(3, 1, 2, 0, [b"\x6c"], (b"tRNS", b"\0\2")), [85, 255, 255]),  # 1 2 3
        (by_hand(3, 1, 4, 0, [b"\x15\x90"], (b"tRNS", b"\0\5")), [17, 255, 153]),  # 1 5 9
        (by_hand(3, 1, 16, 0, [b"\1\1\1\2\x80\x80"], (b"tRNS", b"\1\2")), [1, 255, 128]),  # 257 258 32896
        (by_hand(2, 1, 8, 2, [b"\1\2\3\4\4\4"], (b"tRNS", b"\0\1\0\2\0\3")), [255, 4]),
        (by_hand(2, 1, 16, 2, [b"\1\1\2\2\3\3\4\4\4\4\4\4"], (b"tRNS", b"\1\1\2\2\3\3")), [255, 4]),
    ],
    ids=["grey 8", "grey 1", "grey 2", "grey 4", "grey 16", "colour 8", "colour 16"],
)
def test_the_one_transparent_value_of_every_depth_is_white(content, expected):
    picture = decode(content, 1)
    assert picture.pixels.reshape(-1).tolist() == expected
    assert picture.transparent


def test_an_alpha_channel_without_a_transparent_pixel_counts_as_none():
    opaque = np.dstack([COLOUR, np.full((2, 3), 255, np.uint8)])
    for content in (written(opaque), written(COLOUR, transparency=(1, 1, 1)), written(GREY)):
        picture = decode(content, 3)
        assert not picture.transparent
    assert np.array_equal(decode(written(opaque), 3).pixels, COLOUR)


def test_a_transparent_png_is_the_same_in_preparation_and_in_a_request(schema):
    content = palette_with_alpha()
    table = prepare_table(pa.table({"i": [content, written(COLOUR), None]}), schema)
    assert table["count.image.transparent"].to_pylist() == [True, False, False]
    said = list(schema.inputs["image"].remarks({"train": count_rows(table, schema)["image"]}, "image"))
    assert said == ["images with transparent pixels, of which there are 1, are laid over white"]
    prepared = np.array(table["image"][0].as_py(), np.uint8)
    asked = columns_of([{"image": base64.b64encode(content).decode()}], schema)["image"]
    assert np.array_equal(asked.reshape(-1), prepared.astype(np.float32) / np.float32(255))


# other forms


def test_print_colours_and_bilevel_pictures():
    red = Image.new("RGB", (16, 16), (220, 30, 40))
    assert (
        np.abs(
            decode(written(red.convert("CMYK"), "JPEG", quality=95), 3).pixels[8, 8].astype(int) - (220, 30, 40)
        ).max()
        <= 4
    )
    assert decode(written(Image.fromarray(np.array([[True, False]]))), 1).pixels.tolist() == [[[255], [0]]]


def test_what_is_wrong_with_a_picture_is_told(schema):
    bomb = by_hand(60_000, 60_000, 8, 0, [])
    cut = written(np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8))[:-300]
    wrong = {"of more than 178,956,970 pixels; needs smaller ones": bomb, "needs whole PNG or JPEG images": cut}
    for words, content in wrong.items():
        with pytest.raises(RequestError, match=rf"^data.image.column: column 'i', row 2, .*{words}$"):
            prepare_table(pa.table({"i": [written(GREY), None, content]}), schema)


def test_damaged_pictures_are_refused_or_read_but_never_crash():
    rng = np.random.default_rng(0)
    everything = {"exif": exif(6), "dpi": (72, 72), "icc_profile": b"\0" * 128}
    sound = [
        written(np.dstack([COLOUR, ALPHA]), **everything),
        written(COLOUR, "JPEG", **everything),
        palette_with_alpha(),
    ]
    for content in sound * 200:
        damaged = bytearray(content)
        for _ in range(rng.integers(1, 5)):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        with suppress(UNREADABLE):
            assert decode(bytes(damaged), 3).pixels.dtype == np.uint8

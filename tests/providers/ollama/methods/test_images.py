from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from gleitzeit.core.errors import LimitError, ValidationError
from gleitzeit_ollama.methods import images
from gleitzeit_ollama.methods.image_places import Encoded, image_places, with_images
from gleitzeit_ollama.methods.images import embedded, image_kind

PNG = b"\x89PNG\r\n\x1a\n" + bytes(24)
TEXT = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "PNG"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "JPEG"),
        (b"GIF89a\x01\x00\x01\x00", "GIF"),
        (b"GIF87a\x01\x00\x01\x00", "GIF"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "WebP"),
        (b"BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00" + bytes(40), "BMP"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", None),
        (b"BMW is a car, and no picture of one.", None),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
)
def test_bytes_are_known_by_how_they_begin(data: bytes, kind: str | None) -> None:
    assert image_kind(data) == kind


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.rstrip("="),
        "\n".join([TEXT[:20], TEXT[20:]]),
        f"data:image/png;base64,{TEXT}",
        f"DATA:image/png;charset=x;BASE64,{TEXT}",
        f"data:;base64,{TEXT}",
    ],
)
def test_a_picture_may_be_in_the_text_itself(text: str) -> None:
    assert embedded("images[0]", text) == PNG


@pytest.mark.parametrize(
    "text", ["photo.jpg", "/9j/holiday.jpg", "QkJD", "a/b/c", "iVBOR", "photos/2024/summer", "aGVsbG8="]
)
def test_anything_else_that_is_short_is_a_path(text: str) -> None:
    assert embedded("images[0]", text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://example.com/cat.png", "images[0] is an address on the web"),
        ("file:///home/me/cat.png", "images[0] is a file: URL"),
        ("data:image/png,abc", "images[0] is a data: URL that is not in base64"),
        ("data:image/png;base64,a?b", "images[0] is not valid base64"),
        ("data:image/png;base64,abcde", "images[0] is not valid base64"),
        ("a.b" * 2000, "images[0] is not valid base64"),
    ],
)
def test_a_text_that_can_be_no_picture_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        embedded("images[0]", text)
    assert caught.value.message == words


def test_no_text_takes_long_to_be_told_from_a_picture() -> None:
    started = time.process_time()
    for text in (" " * 4_000 + "!", "a" + " " * 4_000 + "!", "=" * 4_000, "data:" + ";a" * 2_000):
        for _ in range(100):
            assert embedded("images[0]", text) is None
    assert time.process_time() - started < 5


def test_a_picture_that_is_too_large_is_not_even_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "IMAGE_LIMIT", 1000)
    with pytest.raises(LimitError, match=r"images\[0\] has 1,498 bytes, and 1,000 are the most"):
        embedded("images[0]", f"data:image/png;base64,{'A' * 2000}")


def test_every_image_is_found_where_it_stands() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "c.png"}}]
    parameters: dict[str, Any] = {
        "images": ["a.png", Encoded(TEXT)],
        "messages": [
            {"content": "?", "images": "b.png"},
            {"content": parts},
            {"content": [{"type": "x", "data": "d"}]},
        ],
    }
    assert list(image_places(parameters)) == [
        (("images", 0), "a.png"),
        (("messages", 0, "images"), "b.png"),
        (("messages", 1, "content", 1, "image_url", "url"), "c.png"),
    ]


def test_images_are_put_in_place_and_nothing_else_changes() -> None:
    given: dict[str, Any] = {"images": ["a.png", "b.png"], "messages": [{"content": "?", "images": "c.png"}], "seed": 1}
    filled = with_images(given, {("images", 1): "B", ("messages", 0, "images"): "C"})
    assert filled == {"images": ["a.png", "B"], "messages": [{"content": "?", "images": "C"}], "seed": 1}
    assert given["images"] == ["a.png", "b.png"]


def test_a_batch_has_no_images_to_find_in_its_conversations() -> None:
    assert list(image_places({"images": [["a.png"]], "messages": [[{"content": "?", "images": ["b.png"]}]]})) == []

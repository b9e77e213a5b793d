from __future__ import annotations

import base64
import os
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.providers.ollama.fake.node import FakeOllama

from gleitzeit.core.errors import ForbiddenError, GleitzeitError, LimitError, NotFoundError, ValidationError
from gleitzeit.providers.base import TaskContext, enter_task
from gleitzeit_ollama.calls import pictures
from gleitzeit_ollama.calls.pictures import with_pictures
from gleitzeit_ollama.methods import images

pytestmark = pytest.mark.anyio

Call = Callable[..., Coroutine[Any, Any, dict[str, Any]]]
Start = Callable[..., Awaitable[Call]]
AfterCheck = Callable[[Callable[[], None]], None]

PNG = b"\x89PNG\r\n\x1a\n" + bytes(24)
TEXT = base64.b64encode(PNG).decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The only folder that paths may lie in; it has one photo."""
    inside = tmp_path / "files"
    inside.mkdir()
    (inside / "photo.png").write_bytes(PNG)
    return inside


@pytest.fixture(autouse=True)
async def rooted(folder: Path) -> Any:
    """The task that the test's calls belong to."""
    leave = enter_task(TaskContext(roots=(folder,)))
    yield
    leave()


async def read(*given: str) -> list[str]:
    return list((await with_pictures("llm/vision", {"images": list(given)}))["images"])


async def failure(*given: str) -> GleitzeitError:
    with pytest.raises(GleitzeitError) as caught:
        await read(*given)
    return caught.value


async def test_a_path_a_url_and_base64_all_become_base64(folder: Path) -> None:
    given = ["photo.png", str(folder / "photo.png"), f"data:image/png;base64,{TEXT}", TEXT, TEXT.rstrip("=")]
    assert await read(*given) == [TEXT] * 5


async def test_images_that_were_read_are_not_read_again(folder: Path) -> None:
    once = await with_pictures("llm/vision", {"images": ["photo.png"]})
    (folder / "photo.png").unlink()
    assert await with_pictures("llm/vision", once) == once


async def test_images_of_messages_are_read_where_they_stand(folder: Path) -> None:
    parts = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "photo.png"}}]
    read = await with_pictures(
        "llm/chat", {"messages": [{"content": "?", "images": ["photo.png"]}, {"content": parts}]}
    )
    assert read["messages"][0]["images"] == [TEXT]
    assert read["messages"][1]["content"][1]["image_url"]["url"] == TEXT


async def test_a_file_that_is_not_there_names_the_nearest() -> None:
    error = await failure(TEXT, "foto.png")
    assert isinstance(error, NotFoundError)
    assert error.message.startswith('llm/vision: images[1]: there is no file "foto.png"')
    assert 'did you mean "photo.png"?' in (error.hint or "")


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname"])
async def test_a_path_out_of_the_roots_is_refused(name: str, folder: Path) -> None:
    (folder.parent / "secret.png").write_bytes(PNG)
    error = await failure(name)
    assert isinstance(error, ForbiddenError)
    assert error.message.startswith("llm/vision: images[0]: ")


async def test_a_link_out_of_the_roots_is_refused(folder: Path) -> None:
    (folder.parent / "secret.png").write_bytes(PNG)
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    assert isinstance(await failure("link.png"), ForbiddenError)


async def test_a_link_within_the_roots_is_followed(folder: Path) -> None:
    (folder / "link.png").symlink_to("photo.png")
    assert await read("link.png") == [TEXT]


@pytest.fixture
def swapped(monkeypatch: pytest.MonkeyPatch) -> AfterCheck:
    """Has something happen between the moment in which a path is found allowed and that in which it is opened."""

    def after_check(swap: Callable[[], None]) -> None:
        check = TaskContext.path

        def checked(task: TaskContext, name: str) -> Path:
            path = check(task, name)
            swap()
            return path

        monkeypatch.setattr(TaskContext, "path", checked)

    return after_check


async def test_a_link_that_takes_the_place_of_a_file_is_not_followed(folder: Path, swapped: AfterCheck) -> None:
    (folder.parent / "secret.png").write_bytes(PNG)

    def swap() -> None:
        (folder / "photo.png").unlink()
        (folder / "photo.png").symlink_to(folder.parent / "secret.png")

    swapped(swap)
    error = await failure("photo.png")
    assert "cannot be opened" in error.message


async def test_a_link_that_takes_the_place_of_a_folder_is_not_followed(folder: Path, swapped: AfterCheck) -> None:
    (folder / "album").mkdir()
    (folder / "album" / "photo.png").write_bytes(PNG)
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "photo.png").write_bytes(PNG)

    def swap() -> None:
        (folder / "album").rename(folder / "moved")
        (folder / "album").symlink_to(outside)

    swapped(swap)
    assert "cannot be opened" in (await failure("album/photo.png")).message


async def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(folder: Path, swapped: AfterCheck) -> None:
    def swap() -> None:
        (folder / "photo.png").unlink()
        os.mkfifo(folder / "photo.png")

    swapped(swap)
    assert "is not a regular file" in (await failure("photo.png")).message


async def test_what_is_no_picture_is_named(folder: Path) -> None:
    (folder / "notes.txt").write_text("This is text.")
    for given in ("notes.txt", f"data:image/png;base64,{base64.b64encode(b'text').decode()}"):
        error = await failure(TEXT, given)
        assert isinstance(error, ValidationError)
        assert error.message == "llm/vision: images[1] is not an image"


async def test_a_folder_is_no_picture(folder: Path) -> None:
    (folder / "album").mkdir()
    assert "images[0]" in (await failure("album")).message


async def test_bad_base64_is_named() -> None:
    error = await failure("data:image/png;base64,????")
    assert isinstance(error, ValidationError)
    assert error.message == "llm/vision: images[0] is not valid base64"


async def test_a_file_that_is_too_large_is_not_read(folder: Path) -> None:
    with (folder / "large.png").open("wb") as file:
        file.truncate(images.IMAGE_LIMIT + 1)
    error = await failure("large.png")
    assert isinstance(error, LimitError)
    assert error.message == "llm/vision: images[0] has 20,971,521 bytes, and 20,971,520 are the most"


async def test_images_that_are_too_large_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "IMAGES_LIMIT", 80)
    assert await read(TEXT, TEXT) == [TEXT, TEXT]
    assert isinstance(await failure(TEXT, TEXT, TEXT), LimitError)


async def test_a_question_about_a_photo_reaches_the_model_with_it(start: Start) -> None:
    async with FakeOllama("llava") as node:
        call = await start(node.url, models={"default": "tiny", "vision": "llava"})
        result = await call("llm/vision", images=["photo.png"], messages=[{"role": "user", "content": "What is it?"}])
        sent = node.counters.asked[0]
        assert sent.path == "/api/chat"
        assert sent.body["messages"] == [{"role": "user", "content": "What is it?", "images": [TEXT]}]
        assert set(result) == {"response", "model", "done_reason", "usage"}
        assert result["model"] == "llava"

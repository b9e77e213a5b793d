"""A small MCP server over stdio, as any other: a shelf of short texts that can be searched and read."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel

_READ_ONLY = ToolAnnotations(read_only_hint=True)


class Entry(BaseModel):
    """A book as the catalogue lists it."""

    id: str
    title: str
    topics: list[str]


class Book(Entry):
    """A book with its text."""

    body: str


class Catalogue(BaseModel):
    """The books that fit a search."""

    books: list[Entry]
    count: int


server = MCPServer("library", version="1.0.0", instructions="Search the shelf by topic, then read a book by its id.")


@cache
def shelf() -> dict[str, Book]:
    """All books by id."""
    content = yaml.safe_load((Path(__file__).parent / "books.yaml").read_text(encoding="utf-8"))
    return {book["id"]: Book.model_validate(book) for book in content}


@server.tool(annotations=_READ_ONLY)
def search(topic: str) -> Catalogue:
    """List the books on a topic, such as sea, light or play."""
    found = [Entry(**book.model_dump(exclude={"body"})) for book in shelf().values() if topic.lower() in book.topics]
    return Catalogue(books=found, count=len(found))


@server.tool(annotations=_READ_ONLY)
def read(book: str) -> Book:
    """Read the whole text of one book, by its id."""
    if book not in shelf():
        raise ToolError(f'there is no book "{book}"; there are {", ".join(shelf())}')
    return shelf()[book]


if __name__ == "__main__":
    server.run("stdio")

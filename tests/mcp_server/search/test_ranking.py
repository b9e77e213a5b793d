"""What a model means is the first that it finds, among as many tools as a large household of servers has."""

from __future__ import annotations

from pathlib import Path

import pytest

from gleitzeit.core.protocol import MethodSpec
from gleitzeit.mcp_server.tools.ranking import nearest_name, ranked

OWN = [
    MethodSpec("llm/chat", "Chat with a model in Ollama. Messages in, an answer out."),
    MethodSpec("llm/generate", "Complete a prompt with a model in Ollama."),
    MethodSpec("llm/vision", "Ask a model about images."),
    MethodSpec("llm/embeddings", "Turn texts into vectors."),
    MethodSpec("python/execute", "Run Python code in a sandbox."),
    MethodSpec("python/validate", "Check Python code without running it."),
    MethodSpec(
        "workflow/run", "Run a workflow, given inline or by the name it is saved under, and return its outputs."
    ),
    MethodSpec("human/ask", "Ask a person and wait for the answer."),
]


def read_catalogue() -> list[MethodSpec]:
    lines = Path(__file__).with_name("catalogue.txt").read_text(encoding="utf-8").splitlines()
    parts = [line.split(" ", 2) for line in lines]
    return [*OWN, *(MethodSpec(f"mcp/tool.{server}.{tool}", words) for server, tool, words in parts)]


CATALOGUE = read_catalogue()


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("mcp/tool.fs.read_file", "fs.read_file"),
        ("fs.read_file", "fs.read_file"),
        ("execute", "python/execute"),
        ("read file", "fs.read_file"),
        ("readFile", "fs.read_file"),
        ("reading a file from disk", "fs.read_file"),
        ("read file from google drive", "drive.read_file"),
        ("read a file in a github repository", "github.get_file_contents"),
        ("list folder", "fs.list_directory"),
        ("make a directory", "fs.create_directory"),
        ("remove a file", "fs.delete_file"),
        ("rename file", "fs.move_file"),
        ("create github issue", "github.create_issue"),
        ("create jira issue", "jira.create_issue"),
        ("open a pull request", "github.create_pull_request"),
        ("merge pull requests", "github.merge_pull_request"),
        ("comment on github issue", "github.add_issue_comment"),
        ("who changed this line", "git.blame"),
        ("switch branch", "git.checkout"),
        ("current time", "time.get_current_time"),
        ("what time is it now", "time.get_current_time"),
        ("convert time zone", "time.convert_time"),
        ("download web page", "fetch.fetch"),
        ("search the web", "brave.web_search"),
        ("web search", "brave.web_search"),
        ("take a screenshot", "browser.screenshot"),
        ("click a button", "browser.click"),
        ("fill in form", "browser.fill_form"),
        ("send slack message", "slack.post_message"),
        ("slack channel history", "slack.get_channel_history"),
        ("send email", "mail.send_message"),
        ("reply to mail", "mail.reply"),
        ("sql query", "postgres.query"),
        ("list tables", "postgres.list_tables"),
        ("create table in sqlite", "sqlite.create_table"),
        ("appointments", "calendar.create_event"),
        ("free slots", "calendar.find_free_time"),
        ("refund", "stripe.create_refund"),
        ("invoice", "stripe.create_invoice"),
        ("payment link", "stripe.create_payment_link"),
        ("container logs", "docker.container_logs"),
        ("logs of a pod", "k8s.pod_logs"),
        ("restart deployment", "k8s.rollout_restart"),
        ("upload to s3", "aws.put_object"),
        ("weather of the next days", "weather.forecast"),
        ("weather forecast", "weather.forecast"),
        ("address to coordinates", "maps.geocode"),
        ("find restaurants", "maps.search_places"),
        ("play song", "spotify.play"),
        ("pdf text", "pdf.extract_text"),
        ("scientific papers", "arxiv.search_papers"),
        ("translate", "translate.translate_text"),
        ("read spreadsheet cells", "excel.read_sheet"),
        ("resize image", "image.resize"),
        ("switch on the lamp", "home.turn_on"),
        ("stack trace", "sentry.get_issue"),
        ("knowledge graph search", "memory.search_nodes"),
        ("run python code", "python/execute"),
        ("chat with model", "llm/chat"),
        ("embedding", "llm/embeddings"),
        ("ask a person", "human/ask"),
        ("run workflow", "workflow/run"),
    ],
)
def test_the_first_hit_is_what_was_meant(query: str, first: str) -> None:
    hits = [spec.name.removeprefix("mcp/tool.") for spec in ranked(query, CATALOGUE)[:3]]
    assert hits[:1] == [first], hits


def test_what_fits_nothing_finds_nothing_but_the_nearest_name() -> None:
    assert ranked("xylophone", CATALOGUE) == []
    assert ranked("  ", CATALOGUE) == []
    assert nearest_name("screnshot", CATALOGUE) == "mcp/tool.browser.screenshot"
    assert nearest_name("fs.raed_file", CATALOGUE) == "mcp/tool.fs.read_file"
    assert nearest_name("pyhton/execute", CATALOGUE) == "python/execute"


def test_a_catalogue_of_thousands_is_searched_by_words_of_any_script() -> None:
    many = [MethodSpec(f"mcp/tool.s{number}.t", f"Nummer {number} für Größe") for number in range(2_000)]
    assert ranked("größe 1999", many)[0].name == "mcp/tool.s1999.t"

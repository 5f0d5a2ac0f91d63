"""What tests of clients share: the server that `run.ts` started, its models, a tool, a schema, an answer without end."""

import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

MODEL = "hearth-guide-3m"
EMBEDDER = "tiny-bert"
#: Length of its vectors.
DIMENSIONS = 64
QUESTION = "What is Hearth?"
ANSWER = (
    "Hearth is a server for running language models at home, on a NAS or on small edge hardware. "
    "It speaks the OpenAI, Anthropic and Ollama APIs, so most clients work with it as they are."
)
MESSAGES = [{"role": "user", "content": QUESTION}]

#: Parameters of a tool that a forced call fills in.
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "enum": ["Bern", "Oslo"]}},
    "required": ["city"],
    "additionalProperties": False,
}
CITIES = CITY["properties"]["city"]["enum"]
#: The tool as OpenAI and Ollama write it.
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "description": "The weather of a city.", "parameters": CITY},
}

#: The schema of a structured answer.
LIGHT = {
    "type": "object",
    "properties": {"room": {"type": "string", "enum": ["kitchen", "hall"]}, "on": {"type": "boolean"}},
    "required": ["room", "on"],
    "additionalProperties": False,
}


def is_light(value: object) -> bool:
    """Whether a parsed answer keeps to `LIGHT`."""
    return (
        isinstance(value, dict)
        and value.keys() == {"room", "on"}
        and value["room"] in ("kitchen", "hall")
        and isinstance(value["on"], bool)
    )


#: A schema that no answer fulfils before its request is given up: seconds of text.
ENDLESS = {
    "type": "object",
    "properties": {"text": {"type": "string", "minLength": 2000}},
    "required": ["text"],
    "additionalProperties": False,
}

#: Only ends a wait that never succeeds.
PATIENCE_SECONDS = 60


@pytest.fixture(scope="session")
def base_url() -> str:
    """`http://127.0.0.1:PORT` of the server, without a trailing slash."""
    return os.environ["HEARTH_TEST_URL"]


@pytest.fixture
def is_given_up(base_url: str) -> Callable:
    """A block in which a client gives up one answer: the server ends it, and its slot is free."""

    @contextmanager
    def block() -> Iterator[None]:
        series = f'hearth_requests_total{{model="{MODEL}",outcome="cancelled"}}'
        before = metric(base_url, series)
        yield
        deadline = time.monotonic() + PATIENCE_SECONDS
        while metric(base_url, series) == before or metric(base_url, f'hearth_model_slots_busy{{model="{MODEL}"}}'):
            assert time.monotonic() < deadline, "the server goes on with an answer that nobody waits for"
            time.sleep(0.02)
        assert metric(base_url, series) == before + 1

    return block


def metric(base_url: str, series: str) -> float:
    """Value of one series of `/metrics`, 0 where it is not there."""
    with urllib.request.urlopen(f"{base_url}/metrics") as page:
        for line in page.read().decode().splitlines():
            name, _, value = line.rpartition(" ")
            if name == series:
                return float(value)
    return 0

"""The lines of docs/hook-ups.md in Python, each run as it stands but for the server's address."""

import re
from pathlib import Path

import pytest
from conftest import DIMENSIONS, EMBEDDER

PAGE = Path(__file__).parents[3] / "docs" / "hook-ups.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
#: LlamaIndex has an environment of its own.
HERE = [block for block in BLOCKS if "llama_index" not in block]


def test_are_there_for_the_clients_that_have_some():
    packages = [re.search(r"^from (\w+)", block)[1] for block in HERE]
    assert packages == ["openai", "anthropic", "ollama", "langchain_openai", "langchain_openai"]
    assert len(BLOCKS) == len(HERE) + 1


@pytest.mark.parametrize("block", HERE, ids=lambda block: block.splitlines()[0])
def test_print_an_answer(block, base_url, capsys):
    exec(block.replace("http://127.0.0.1:8000", base_url).replace("all-minilm-l6-v2", EMBEDDER), {})
    printed = capsys.readouterr().out.strip()
    if "Embeddings" in block:
        assert printed == str(DIMENSIONS)
    else:
        assert re.search(r"\w+ \w+", printed)

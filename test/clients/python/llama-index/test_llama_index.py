"""LlamaIndex, by its packages for servers that speak OpenAI's API. It needs an older `openai` than the other clients."""

import os
import re
from pathlib import Path

import pytest
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike

API = {"api_base": f"{os.environ['HEARTH_TEST_URL']}/v1", "api_key": "none", "max_retries": 0}
QUESTION = "What is Hearth?"
PAGE = Path(__file__).parents[4] / "docs" / "hook-ups.md"


@pytest.fixture
def llm() -> OpenAILike:
    kind = {"is_chat_model": True, "is_function_calling_model": True, "context_window": 2048}
    return OpenAILike(model="hearth-guide-3m", temperature=0, **API, **kind)


def test_asks_and_streams_the_same_text(llm):
    text = llm.complete(QUESTION).text
    assert text.startswith("Hearth is a server")
    parts = [part.delta for part in llm.stream_complete(QUESTION)]
    assert "".join(parts) == text
    assert len(parts) > 1


def test_has_a_tool_called(llm):
    def get_weather(city: str) -> str:
        """The weather of a city."""
        return f"Sunny in {city}."

    tool = FunctionTool.from_defaults(get_weather)
    answer = llm.chat_with_tools([tool], user_msg="What is the weather in Paris?", tool_required=True)
    [call] = llm.get_tool_calls_from_response(answer)
    assert (call.tool_name, list(call.tool_kwargs)) == ("get_weather", ["city"])


def test_gets_vectors():
    vectors = OpenAILikeEmbedding(model_name="tiny-bert", **API).get_text_embedding_batch(["a cat", "a dog"])
    assert [len(vector) for vector in vectors] == [64, 64]


def test_lines_of_the_page_print_an_answer(capsys):
    [block] = re.findall(r"^```python\n([^`]*llama_index.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    exec(block.replace("http://127.0.0.1:8000/v1", API["api_base"]), {})
    assert "Hearth" in capsys.readouterr().out

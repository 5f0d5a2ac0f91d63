"""LangChain's OpenAI package, over chat completions and over responses."""

import openai
import pytest
from conftest import ANSWER, CITIES, DIMENSIONS, EMBEDDER, LIGHT, MODEL, QUESTION, WEATHER, is_light
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel


@pytest.fixture(params=[False, True], ids=["chat", "responses"])
def make(request, base_url):
    """Makes a chat model, with more settings where a test has some."""

    def make(**settings) -> ChatOpenAI:
        settings = {"model": MODEL, "temperature": 0, "use_responses_api": request.param, **settings}
        return ChatOpenAI(base_url=f"{base_url}/v1", api_key="none", max_retries=0, **settings)

    return make


def test_asks(make):
    message = make().invoke(QUESTION)
    assert message.text == ANSWER
    usage = message.usage_metadata
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


def test_streams_the_same_text(make):
    chunks = list(make().stream(QUESTION))
    assert "".join(chunk.text for chunk in chunks) == ANSWER
    assert len(chunks) > 1


def test_asks_for_several_at_once(make):
    assert [message.text for message in make().batch([QUESTION, "Thanks!"])] == [ANSWER, "You are welcome!"]


def test_has_a_tool_called_and_answers_it(make):
    bound = make().bind_tools([WEATHER], tool_choice="required")
    message = bound.invoke(QUESTION)
    [call] = message.tool_calls
    assert (call["name"], call["args"]["city"] in CITIES) == ("get_weather", True)
    whole = None
    for chunk in bound.stream(QUESTION):
        whole = chunk if whole is None else whole + chunk
    assert [(made["name"], made["args"]) for made in whole.tool_calls] == [(call["name"], call["args"])]
    history = [HumanMessage(QUESTION), message, ToolMessage("Sunny.", tool_call_id=call["id"])]
    after = make().bind_tools([WEATHER]).invoke(history)
    assert after.text or after.tool_calls


def test_binds_functions_of_python(make):
    @tool
    def switch(room: str, on: bool) -> str:
        """Switches a light."""
        return f"{room}: {on}"

    [call] = make().bind_tools([switch], tool_choice="switch").invoke(QUESTION).tool_calls
    assert switch.invoke(call["args"])


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_gets_structured_output(make, method):
    class Light(BaseModel):
        room: str
        on: bool

    assert isinstance(make().with_structured_output(Light, method=method).invoke(QUESTION), Light)
    light = {"title": "light", "description": "A light.", **LIGHT}
    assert is_light(make().with_structured_output(light, method=method).invoke(QUESTION))


def test_gets_vectors(base_url):
    vectors = OpenAIEmbeddings(
        base_url=f"{base_url}/v1", api_key="none", model=EMBEDDER, max_retries=0, check_embedding_ctx_length=False
    )
    assert [len(vector) for vector in vectors.embed_documents(["a cat", "a dog"])] == [DIMENSIONS, DIMENSIONS]
    assert vectors.embed_query("a cat") == pytest.approx(vectors.embed_documents(["a cat"])[0], abs=1e-5)


def test_knows_its_errors(make):
    with pytest.raises(openai.NotFoundError):
        make(model="no-such").invoke(QUESTION)
    with pytest.raises(openai.BadRequestError, match="temperature"):
        make(temperature=9).invoke(QUESTION)
    with pytest.raises(openai.BadRequestError, match="token|context"):
        make().invoke("word " * 20_000)


def test_gives_up_in_the_middle(make, is_given_up):
    with is_given_up():
        stream = make(extra_body={"ignore_eos": True}).stream(QUESTION)
        next(chunk for chunk in stream if chunk.text)
        stream.close()

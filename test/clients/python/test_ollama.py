"""The official client of Ollama."""

import json

import ollama
import pytest
from conftest import ANSWER, CITIES, DIMENSIONS, EMBEDDER, ENDLESS, LIGHT, MESSAGES, MODEL, QUESTION, WEATHER, is_light


@pytest.fixture
def client(base_url):
    return ollama.Client(host=base_url)


ASK = {"model": MODEL, "messages": MESSAGES, "options": {"temperature": 0}}


def test_asks(client):
    answer = client.chat(**ASK)
    assert (answer.message.content, answer.done, answer.done_reason) == (ANSWER, True, "stop")
    assert answer.eval_count > 0
    assert answer.total_duration >= answer.load_duration + answer.prompt_eval_duration + answer.eval_duration
    assert client.generate(model=MODEL, prompt=QUESTION, options={"temperature": 0}).response == ANSWER


def test_streams_the_same_text(client):
    parts = list(client.chat(**ASK, stream=True))
    assert "".join(part.message.content for part in parts) == ANSWER
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]


def test_has_a_tool_called_and_answers_it(client):
    # Ollama's API cannot force a call; this answer is one, greedily.
    ask = [{"role": "user", "content": "What is the weather in Paris?"}]
    tool = {"type": "function", "function": {**WEATHER["function"], "parameters": {**CITY_OF_ANY_NAME}}}
    message = client.chat(model=MODEL, messages=ask, tools=[tool], options={"temperature": 0}).message
    [call] = message.tool_calls
    assert (call.function.name, call.function.arguments) == ("get_weather", {"city": "Paris"})
    result = {"role": "tool", "tool_name": "get_weather", "content": "Sunny."}
    after = client.chat(model=MODEL, messages=[*ask, message, result], tools=[tool], options={"temperature": 0})
    assert after.done_reason == "stop"


CITY_OF_ANY_NAME = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def test_gets_structured_output(client):
    assert is_light(json.loads(client.chat(**ASK, format=LIGHT).message.content))


def test_gets_vectors(client):
    vectors = client.embed(model=EMBEDDER, input=["a cat", "a dog"]).embeddings
    assert [len(vector) for vector in vectors] == [DIMENSIONS, DIMENSIONS]
    # The older endpoint.
    assert len(client.embeddings(model=EMBEDDER, prompt="a cat").embedding) == DIMENSIONS


def test_lists_shows_copies_and_deletes(client):
    assert f"{MODEL}:latest" in [model.model for model in client.list().models]
    assert "completion" in client.show(MODEL).capabilities
    client.copy(MODEL, "mine")
    assert client.chat(**{**ASK, "model": "mine"}).message.content == ANSWER
    assert MODEL in {model.model.split(":")[0] for model in client.ps().models}
    client.delete("mine")
    with pytest.raises(ollama.ResponseError):
        client.show("mine")


def test_knows_its_errors(client):
    with pytest.raises(ollama.ResponseError) as unknown:
        client.chat(**{**ASK, "model": "no-such"})
    assert unknown.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="temperature") as bad:
        client.chat(**{**ASK, "options": {"temperature": 9}})
    assert bad.value.status_code == 400
    with pytest.raises(ollama.ResponseError) as streamed:
        list(client.chat(**{**ASK, "model": "no-such"}, stream=True))
    assert streamed.value.status_code == 404


def test_gives_up_in_the_middle(client, is_given_up):
    with is_given_up():
        stream = client.chat(**ASK, format=ENDLESS, stream=True)
        next(part for part in stream if part.message.content)
        stream.close()

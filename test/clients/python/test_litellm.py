"""LiteLLM as a client, with each of the providers by which people reach a server like this one."""

import asyncio
import json

import litellm
import pytest
from conftest import ANSWER, CITIES, DIMENSIONS, EMBEDDER, ENDLESS, LIGHT, MESSAGES, MODEL, WEATHER, is_light

litellm.suppress_debug_info = True

#: By the provider's name: what stands behind the server's address.
PATHS = {
    "openai": "/v1",
    "openai/responses": "/v1",
    "hosted_vllm": "/v1",
    "anthropic": "",
    "ollama_chat": "",
    "ollama": "",
}
#: Ollama's API cannot force a call.
FORCED = ["openai", "openai/responses", "hosted_vllm", "anthropic"]


@pytest.fixture
def ask(base_url):
    """A completion with the model behind a provider."""

    def ask(provider: str, model: str = MODEL, is_async: bool = False, **wish):
        wish = {"messages": MESSAGES, "temperature": 0, "max_tokens": 128, "num_retries": 0, **wish}
        do = litellm.acompletion if is_async else litellm.completion
        return do(model=f"{provider}/{model}", api_base=f"{base_url}{PATHS[provider]}", api_key="none", **wish)

    return ask


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("provider", PATHS)
def test_asks(ask, provider, is_async):
    answer = asyncio.run(ask(provider, is_async=True)) if is_async else ask(provider)
    assert answer.choices[0].message.content == ANSWER
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


@pytest.mark.parametrize("provider", PATHS)
def test_streams_the_same_text(ask, provider):
    chunks = list(ask(provider, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("provider", FORCED)
def test_has_a_tool_called_and_answers_it(ask, provider):
    message = ask(provider, tools=[WEATHER], tool_choice="required").choices[0].message
    [call] = message.tool_calls
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments)["city"] in CITIES
    result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny."}
    after = ask(provider, messages=[*MESSAGES, message.model_dump(), result], tools=[WEATHER])
    assert after.choices[0].finish_reason in ("stop", "tool_calls")


@pytest.mark.parametrize("provider", PATHS)
def test_gets_structured_output(ask, provider):
    wanted = {"type": "json_schema", "json_schema": {"name": "light", "schema": LIGHT, "strict": True}}
    assert is_light(json.loads(ask(provider, response_format=wanted).choices[0].message.content))


@pytest.mark.parametrize("provider", ["openai", "hosted_vllm", "ollama"])
def test_gets_vectors(base_url, provider):
    vectors = litellm.embedding(
        model=f"{provider}/{EMBEDDER}",
        api_base=f"{base_url}{PATHS[provider]}",
        api_key="none",
        input=["a cat", "a dog"],
    )
    assert [len(vector["embedding"]) for vector in vectors.data] == [DIMENSIONS, DIMENSIONS]


@pytest.mark.parametrize("provider", PATHS)
def test_knows_its_errors(ask, provider):
    with pytest.raises(litellm.NotFoundError):
        ask(provider, model="no-such")
    with pytest.raises(litellm.BadRequestError, match="temperature"):
        ask(provider, temperature=9)


# Of the others, `openai/responses` leaves its connection open, and `ollama` waits for the end of JSON before it shows any.
@pytest.mark.parametrize("provider", ["openai", "hosted_vllm", "anthropic", "ollama_chat"])
def test_gives_up_in_the_middle(ask, provider, is_given_up):
    endless = {"type": "json_schema", "json_schema": {"name": "endless", "schema": ENDLESS, "strict": True}}

    async def read() -> None:
        answer = await ask(provider, is_async=True, max_tokens=1_500, stream=True, response_format=endless)
        async for chunk in answer:
            if chunk.choices[0].delta.content:
                break
        await answer.aclose()

    with is_given_up():
        asyncio.run(read())

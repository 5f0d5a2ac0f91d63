"""The official SDK of OpenAI: chat, responses, embeddings, files, batches."""

import asyncio
import json
import math
import time

import openai
import pytest
from conftest import ANSWER, CITIES, DIMENSIONS, EMBEDDER, LIGHT, MESSAGES, MODEL, QUESTION, WEATHER, is_light
from pydantic import BaseModel


@pytest.fixture
def client(base_url):
    with openai.OpenAI(base_url=f"{base_url}/v1", api_key="none", max_retries=0) as client:
        yield client


ASK = {"model": MODEL, "messages": MESSAGES, "temperature": 0}


def test_asks(client):
    completion = client.chat.completions.create(**ASK)
    [choice] = completion.choices
    assert (choice.message.content, choice.finish_reason) == (ANSWER, "stop")
    usage = completion.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 0


def test_streams_the_same_text(client):
    chunks = list(client.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == ANSWER
    assert chunks[-1].usage.completion_tokens > 0
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"


def test_has_a_tool_called_and_answers_it(client):
    wish = {**ASK, "tools": [WEATHER], "tool_choice": "required"}
    message = client.chat.completions.create(**wish).choices[0].message
    [call] = message.tool_calls
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments)["city"] in CITIES
    with client.chat.completions.stream(**wish) as stream:
        stream.until_done()
        streamed = stream.get_final_completion().choices[0].message
    assert streamed.tool_calls[0].function.arguments == call.function.arguments
    result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny."}
    after = client.chat.completions.create(**{**ASK, "messages": [*MESSAGES, message, result]}, tools=[WEATHER])
    assert after.choices[0].finish_reason in ("stop", "tool_calls")


def test_gets_structured_output(client):
    class Light(BaseModel):
        room: str
        on: bool

    wanted = {"type": "json_schema", "json_schema": {"name": "light", "schema": LIGHT, "strict": True}}
    text = client.chat.completions.create(**ASK, response_format=wanted).choices[0].message.content
    assert is_light(json.loads(text))
    parsed = client.chat.completions.parse(**ASK, response_format=Light).choices[0].message.parsed
    assert isinstance(parsed, Light)


def test_makes_responses_and_goes_on_with_them(client):
    first = client.responses.create(model=MODEL, input=QUESTION, temperature=0)
    assert (first.output_text, first.status) == (ANSWER, "completed")
    following = client.responses.create(model=MODEL, input="Thanks!", temperature=0, previous_response_id=first.id)
    assert following.output_text == "You are welcome!"
    assert following.usage.input_tokens_details.cached_tokens > 0


def test_streams_responses(client):
    with client.responses.stream(model=MODEL, input=QUESTION, temperature=0) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    assert final.output_text == ANSWER


def test_calls_functions_in_responses(client):
    tool = {"type": "function", "strict": True, **WEATHER["function"]}
    wish = {"model": MODEL, "temperature": 0, "tools": [tool], "store": False}
    first = client.responses.create(**wish, input=QUESTION, tool_choice="required")
    [call] = [item for item in first.output if item.type == "function_call"]
    assert json.loads(call.arguments)["city"] in CITIES
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "Sunny."}
    after = client.responses.create(**wish, input=[{"role": "user", "content": QUESTION}, *first.output, output])
    assert after.status == "completed"


def test_gets_vectors(client):
    inputs = ["a cat", "a dog"]
    coded = client.embeddings.create(model=EMBEDDER, input=inputs).data
    plain = client.embeddings.create(model=EMBEDDER, input=inputs, encoding_format="float").data
    for one, other in zip(coded, plain, strict=True):
        assert len(one.embedding) == DIMENSIONS
        assert math.hypot(*one.embedding) == pytest.approx(1, abs=1e-3)
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)


def test_lists_models(client):
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).id == MODEL


def test_knows_its_errors(client):
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(**{**ASK, "model": "no-such"})
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(**{**ASK, "temperature": 9})
    assert (bad.value.type, bad.value.param) == ("invalid_request_error", "temperature")
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "word " * 20_000}])
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="no-such", input=QUESTION)


ENDLESS_ASK = {**ASK, "stream": True, "extra_body": {"ignore_eos": True}}


def test_gives_up_in_the_middle(client, is_given_up):
    with is_given_up():
        stream = client.chat.completions.create(**ENDLESS_ASK)
        next(chunk for chunk in stream if chunk.choices[0].delta.content)
        stream.close()


def test_gives_up_a_response_in_the_middle(client, is_given_up):
    with is_given_up():
        stream = client.responses.create(
            model=MODEL, input=QUESTION, store=False, stream=True, extra_body={"ignore_eos": True}
        )
        next(event for event in stream if event.type == "response.output_text.delta")
        stream.close()


def test_gives_up_a_whole_answer_by_its_own_limit(base_url, is_given_up):
    client = openai.OpenAI(base_url=f"{base_url}/v1", api_key="none", max_retries=0, timeout=0.5)
    with is_given_up(), pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(**ASK, extra_body={"ignore_eos": True})


def test_gives_up_as_a_task_that_is_cancelled(base_url, is_given_up):
    async def ask() -> None:
        async with openai.AsyncOpenAI(base_url=f"{base_url}/v1", api_key="none", max_retries=0) as client:
            begun = asyncio.Event()

            async def read() -> None:
                async for chunk in await client.chat.completions.create(**ENDLESS_ASK):
                    if chunk.choices[0].delta.content:
                        begun.set()

            task = asyncio.create_task(read())
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with is_given_up():
        asyncio.run(ask())


def requests(count: int) -> bytes:
    """So many requests of a batch, a line each; the first asks what is known."""
    lines = [
        {
            "custom_id": f"mail-{index}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {**ASK, "max_tokens": 100} if index == 0 else {**ASK, "max_tokens": 2},
        }
        for index in range(count)
    ]
    return "\n".join(json.dumps(line) for line in lines).encode()


def until_over(client, batch):
    while batch.status in ("validating", "in_progress", "finalizing", "cancelling"):
        time.sleep(0.1)
        batch = client.batches.retrieve(batch.id)
    return batch


def test_has_the_requests_of_a_file_answered(client):
    file = client.files.create(
        file=("mails.jsonl", requests(200)),
        purpose="batch",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert (file.purpose, file.filename, file.expires_at - file.created_at) == ("batch", "mails.jsonl", 3600)
    wish = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    batch = until_over(client, client.batches.create(**wish, metadata={"night": "1"}))
    assert (batch.status, batch.request_counts.completed, batch.request_counts.failed) == ("completed", 200, 0)
    assert batch.metadata == {"night": "1"}
    lines = client.files.content(batch.output_file_id).text.splitlines()
    results = {line["custom_id"]: line for line in map(json.loads, lines)}
    assert len(results) == 200
    assert results["mail-0"]["response"]["body"]["choices"][0]["message"]["content"] == ANSWER
    assert batch.id in [one.id for one in client.batches.list(limit=1)]
    for one in client.files.list():
        assert client.files.delete(one.id).deleted


def test_cancels_a_batch_and_reads_what_there_is(client):
    file = client.files.create(file=("mails.jsonl", requests(500)), purpose="batch")
    wish = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    batch = client.batches.create(**wish)
    assert client.batches.cancel(batch.id).status in ("cancelling", "cancelled")
    batch = until_over(client, batch)
    assert batch.status == "cancelled"
    errors = client.files.content(batch.error_file_id).text.splitlines()
    assert len(errors) + batch.request_counts.completed == 500
    assert json.loads(errors[-1])["error"]["code"] == "batch_cancelled"


def test_is_told_which_lines_of_a_file_are_wrong(client):
    file = client.files.create(file=("mails.jsonl", requests(1) + b"\n{"), purpose="batch")
    wish = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    batch = client.batches.create(**wish)
    assert batch.status == "failed"
    assert [(error.line, error.code) for error in batch.errors.data] == [(2, "invalid_json_line")]

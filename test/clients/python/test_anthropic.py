"""The official SDK of Anthropic: messages and batches. It has no vectors."""

import json
import time

import anthropic
import pytest
from conftest import ANSWER, CITIES, CITY, ENDLESS, LIGHT, MESSAGES, MODEL, is_light


@pytest.fixture
def client(base_url):
    with anthropic.Anthropic(base_url=base_url, api_key="none", max_retries=0) as client:
        yield client


ASK = {"model": MODEL, "messages": MESSAGES, "max_tokens": 128}
#: It takes a temperature.
OLDER = {"anthropic-version": "2023-06-01"}
TOOL = {"name": "get_weather", "description": "The weather of a city.", "input_schema": CITY}


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def test_asks(client):
    message = client.messages.create(**ASK)
    assert (message.role, message.stop_reason) == ("assistant", "end_turn")
    assert text_of(message)
    assert message.usage.output_tokens > 0
    assert message._request_id.startswith("req_")


def test_streams(client):
    with client.messages.stream(**ASK) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == text_of(final) != ""
    assert final.stop_reason == "end_turn"


def test_gives_the_exact_answer_at_the_older_version(client):
    message = client.messages.create(**ASK, extra_headers=OLDER, extra_body={"temperature": 0})
    assert text_of(message) == ANSWER


def test_has_a_tool_called_and_answers_it(client):
    wish = {**ASK, "tools": [TOOL], "tool_choice": {"type": "any"}}
    message = client.messages.create(**wish)
    [call] = [block for block in message.content if block.type == "tool_use"]
    assert message.stop_reason == "tool_use"
    assert (call.name, call.input["city"] in CITIES) == ("get_weather", True)
    with client.messages.stream(**wish) as stream:
        streamed = stream.get_final_message()
    assert [block.name for block in streamed.content if block.type == "tool_use"] == ["get_weather"]
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "Sunny."}]}
    history = [*MESSAGES, {"role": "assistant", "content": message.content}, result]
    after = client.messages.create(**{**ASK, "messages": history}, tools=[TOOL])
    assert after.stop_reason in ("end_turn", "tool_use")


def test_gets_structured_output(client):
    wanted = {"format": {"type": "json_schema", "schema": LIGHT}}
    assert is_light(json.loads(text_of(client.messages.create(**ASK, output_config=wanted))))


def test_counts_tokens_as_the_answer_does(client):
    counted = client.messages.count_tokens(model=MODEL, messages=MESSAGES, tools=[TOOL]).input_tokens
    usage = client.messages.create(**ASK, tools=[TOOL]).usage
    assert usage.input_tokens + usage.cache_read_input_tokens == counted


def test_lists_models(client):
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).type == "model"


def test_knows_its_errors(client):
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(**{**ASK, "model": "no-such"})
    with pytest.raises(anthropic.BadRequestError) as bad:
        client.messages.create(**{**ASK, "messages": []})
    assert bad.value.body["error"]["type"] == "invalid_request_error"
    assert bad.value.body["error"]["details"]["field"] == "messages"
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
        client.messages.create(**{**ASK, "messages": [{"role": "user", "content": "word " * 20_000}]})


def test_gives_up_in_the_middle(client, is_given_up):
    endless = {**ASK, "max_tokens": 1_500, "output_config": {"format": {"type": "json_schema", "schema": ENDLESS}}}
    with is_given_up(), client.messages.stream(**endless) as stream:
        next(event for event in stream if event.type == "content_block_delta")


def requests(count):
    """So many requests of a batch; the first asks what is known."""
    exact = {**ASK, "temperature": 0}
    return [
        {"custom_id": f"mail-{index}", "params": exact if index == 0 else {**exact, "max_tokens": 2}}
        for index in range(count)
    ]


def until_ended(client, batch):
    while batch.processing_status != "ended":
        time.sleep(0.1)
        batch = client.messages.batches.retrieve(batch.id)
    return batch


def test_has_a_batch_answered(client):
    batch = client.messages.batches.create(requests=requests(200), extra_headers=OLDER)
    assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 200)
    batch = until_ended(client, batch)
    counts = batch.request_counts
    assert (counts.succeeded, counts.processing, counts.errored) == (200, 0, 0)
    results = {line.custom_id: line.result for line in client.messages.batches.results(batch.id)}
    assert results.keys() == {f"mail-{index}" for index in range(200)}
    assert {result.type for result in results.values()} == {"succeeded"}
    assert text_of(results["mail-0"].message) == ANSWER
    assert results["mail-1"].message.stop_reason == "max_tokens"
    assert batch.id in [one.id for one in client.messages.batches.list(limit=1)]
    assert client.messages.batches.delete(batch.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(batch.id)


def test_cancels_a_batch_and_reads_what_there_is(client):
    batch = client.messages.batches.create(requests=requests(500), extra_headers=OLDER)
    batch = client.messages.batches.cancel(batch.id)
    assert batch.processing_status in ("canceling", "ended")
    assert batch.cancel_initiated_at is not None
    batch = until_ended(client, batch)
    counts = batch.request_counts
    assert counts.canceled > 0
    assert counts.canceled + counts.succeeded == 500
    types = [line.result.type for line in client.messages.batches.results(batch.id)]
    assert (types.count("canceled"), types.count("succeeded")) == (counts.canceled, counts.succeeded)


def test_is_told_which_request_of_a_batch_is_wrong(client):
    bad = requests(3)
    bad[1]["params"]["max_tokens"] = -1
    with pytest.raises(anthropic.BadRequestError, match="Request 1 .*mail-1"):
        client.messages.batches.create(requests=bad, extra_headers=OLDER)

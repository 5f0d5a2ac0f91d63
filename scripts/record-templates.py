"""Renders chat templates with Jinja2 itself, as the reference for the tests.

    pip install jinja2==3.1.6
    python scripts/record-templates.py TEMPLATES_DIR [TEXTS_DIR]

Reads the conversations of test/fixtures/templates/conversations.json, renders each with the templates named below (files
of TEMPLATES_DIR) under the settings that the transformers library documents for chat templates, and writes
test/fixtures/templates/recorded.json: the SHA-256 of each text, or the words in which the template refuses it. The texts
hold the publishers' own sentences, so they are not kept in the repository; TEXTS_DIR gets them for a comparison by eye.
"""

import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path

from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

FIXTURES = Path(__file__).resolve().parent.parent / "test" / "fixtures" / "templates"

RECORDED = [
    "GLM-4.6",
    "GLM-4.7-Flash",
    "LFM2-8B-A1B",
    "Mistral-Small-3.2-24B-Instruct-2506",
    "NousResearch-Hermes-3-Llama-3.1-8B-tool_use",
    "Qwen-Qwen2.5-7B-Instruct",
    "Qwen-Qwen3-0.6B",
    "Qwen3-Coder",
    "Qwen3.5-4B",
    "google-gemma-2-2b-it",
    "google-gemma-4-31B-it",
    "ibm-granite-granite-4.0",
    "meta-llama-Llama-3.1-8B-Instruct",
    "microsoft-Phi-3.5-mini-instruct",
    "mistralai-Mistral-Nemo-Instruct-2407",
]


def raise_exception(message):
    raise TemplateError(message)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def with_parsed_arguments(message):
    if "tool_calls" not in message:
        return message
    calls = [
        {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
        for call in message["tool_calls"]
    ]
    return {**message, "tool_calls": calls}


def main():
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda pattern: datetime.now().strftime(pattern)
    conversations = json.loads((FIXTURES / "conversations.json").read_text())
    today = datetime.now().strftime("%Y-%m-%d")
    recorded = {}
    for name in RECORDED:
        template = environment.from_string((Path(sys.argv[1]) / f"{name}.jinja").read_text())
        recorded[name] = {}
        for title, conversation in conversations.items():
            try:
                text = template.render(
                    messages=[with_parsed_arguments(message) for message in conversation["messages"]],
                    tools=conversation.get("tools"),
                    add_generation_prompt=True,
                    bos_token="<bos>",
                    eos_token="<eos>",
                    **conversation.get("chat_template_kwargs", {}),
                )
            except (TemplateError, TypeError) as error:
                recorded[name][title] = {"refused": str(error)}
                continue
            if today in text:
                # Another text tomorrow.
                continue
            recorded[name][title] = {"sha256": hashlib.sha256(text.encode()).hexdigest()}
            if len(sys.argv) > 2:
                (Path(sys.argv[2]) / f"{name}.{title}.txt").write_text(text)
    (FIXTURES / "recorded.json").write_text(json.dumps(recorded, indent=2) + "\n")


main()

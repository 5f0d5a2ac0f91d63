"""Renders the small templates of test/fixtures/jinja/cases.jsonl with Jinja2 itself and writes down what comes out.

    pip install jinja2==3.1.6
    python scripts/record-jinja.py

Each case has a `template` and perhaps a `context`; it gets the `text`, or the name of the `error`. The settings are those
that the transformers library documents for chat templates, the clock stands at noon of 2026-11-28.
"""

import json
import warnings
from datetime import datetime
from pathlib import Path

from jinja2 import nodes, pass_eval_context
from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

CASES = Path(__file__).resolve().parent.parent / "test" / "fixtures" / "jinja" / "cases.jsonl"
NOW = datetime(2026, 11, 28, 12, 0, 0)


class Generation(Extension):
    """The tag that marks what a model has written."""

    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_keep"), [], [], body).set_lineno(lineno)

    @pass_eval_context
    def _keep(self, context, caller):
        return caller()


def raise_exception(message):
    raise TemplateError(message)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def main():
    warnings.simplefilter("ignore")
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = NOW.strftime
    cases = [json.loads(line) for line in CASES.read_text("utf-8").split("\n") if line]
    for case in cases:
        case.pop("text", None)
        case.pop("error", None)
        try:
            case["text"] = environment.from_string(case["template"]).render(**case.get("context", {}))
        except Exception as error:
            case["error"] = type(error).__name__
    CASES.write_text("".join(f"{json.dumps(case, ensure_ascii=False)}\n" for case in cases), "utf-8")


main()

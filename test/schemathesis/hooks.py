"""What schemathesis counts as a failure and is none, each with its reason. Above all a body that its schema takes may
still be refused for what no schema can say; everything else that is refused stays a failure."""

import json
import re

import schemathesis

# Of a field: why its schema cannot say all of it. Only errors that name the field, and were given it, are let through.
BEYOND_SCHEMAS = {
    "grammar": "a language of its own",
    "json_schema": "which schemas a grammar can keep",
    "response_format": "which schemas a grammar can keep",
    "format": "which schemas a grammar can keep",
    "tools": "names that differ, parameters that a grammar can keep",
    "functions": "names that differ, parameters that a grammar can keep",
    "tool_choice": "one of the names in tools",
    "function_call": "one of the names in functions",
    "best_of": "at least n, and what stands beside it",
    "echo": "prompts of text",
    "continue_final_message": "what the last message is",
    "prompt": "token numbers that the model has",
    "input": "token numbers that the model has",
    "dimensions": "those of the model",
    "logit_bias": "token numbers that the model has",
    "repeat_penalty": "scores that stay finite when divided by it",
    "chat_template_kwargs": "what the model's own template makes of them",
    "messages": "what the model's own template makes of them",
    "model": "a model of the kind that the endpoint needs",
    "name": "all forms that the address of a model has",
    "quantization": "the one that the name asks for, if it asks for one",
}

# Their schemas do not say yet all that the server asks of a body (that a name is given, how options bound each other): bodies
# that they allow may be refused. Everything else is checked of them too.
UNSAID = re.compile(
    r"^/api/(delete|blobs/|chat|copy|create|embed|generate|pull|show)"
    r"|^(/api/v1)?/(decide|chat|messages/)"
    r"|^/((de)?tokenize|apply-template)$"
    r"|^/v1/(decisions|systemone|responses)"
)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    # Who has no key is not told what there is: a method that a public path lacks is refused as an unknown URL is.
    if failure.code == "ST204" and response.status_code == 401:
        return False
    # A request of a batch that is not valid is answered in its place, beside the others.
    if failure.code == "ST201" and case.path.endswith("/batch/generate"):
        return False
    if failure.code != "ST202" or response.status_code not in (400, 422):
        return True
    # OpenAPI has no words for an upgrade, so a request without one counts as valid there.
    if "/ws/" in case.path or UNSAID.search(case.path):
        return False
    return not is_beyond_schemas(case, error_of(response))


def is_beyond_schemas(case, error):
    code, field = error
    # How many tokens a text has is known to the model alone; a load fails on a machine that stands still for too long.
    if code in ("context_length_exceeded", "model_load_failed"):
        return True
    name = field.split(".")[0]
    body = case.body if isinstance(case.body, dict) else {}
    return name in BEYOND_SCHEMAS and (body.get(name) is not None or name == "model")


def error_of(response):
    """Code and field of an error in any of the dialects."""
    body = json.loads(response.content)
    error = body.get("error")
    if isinstance(error, dict) and "param" in error:
        return error["code"] or "", error["param"] or ""
    if isinstance(error, dict):
        details = error["details"]
        return details.get("error_code", error.get("code", "")).lower(), details.get("field", "")
    return body.get("code", ""), body.get("field", "")

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
    "questions": "options that differ, labels that the model has",
    "tokens": "token numbers that the model has",
    "thinking": "a budget below max_tokens",
    "context_management": "which edits there are",
    "output_format": "which schemas a grammar can keep, and what stands beside it",
    "output_config": "which schemas a grammar can keep",
    "system": "blocks that can stand there",
    "text": "which schemas a grammar can keep",
    "starting_after": "what stands beside it in the address",
    "since": "not after until",
    "after": "an id of the list",
    "after_id": "an id of the list",
    "before_id": "an id of the list, and not beside after_id",
    "requests": "their params are bodies of the route that answers them",
    "config_path": "a file that lies beside the one in force",
    "expires_at": "a time that is still to come",
}

# Errors of Ollama's dialect name no field but in their text; these name none there either.
BEYOND_SCHEMAS_TEXTS = re.compile(
    r"With these sampling settings no token has a finite score"
    r"|is not given to another"
    r"|makes no embeddings|makes embeddings only|ranks texts"
    r"|The vectors of this model have"
    r"|This name cannot be pulled"
    r"|does not support thinking"
    r"|There is no blob"
    r"|The prompt has \d+ tokens; the context holds"
)

# Of every body in whatever dialect, before its schema is looked at.
BODY_LIMITS = re.compile(r"The body has more than \d+ keys|__proto__\\*\" is not allowed")

# What no schema can say of a body as a whole: that its SHA-256 is the digest of the address.
UNSAID = re.compile(r"/blobs/")


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
    if BODY_LIMITS.search(response.text):
        return False
    return not is_beyond_schemas(case, error_of(response))


def is_beyond_schemas(case, error):
    code, field = error
    # What the address names is there, and in a state in which this cannot be done: a batch that runs, or has ended.
    if field in ("batch", "batch_id") and field in (case.path_parameters or {}):
        return True
    # How many tokens a text has is known to the model alone; a load fails on a machine that stands still for too long.
    if code in ("context_length_exceeded", "model_load_failed"):
        return True
    if BEYOND_SCHEMAS_TEXTS.search(code):
        return True
    name = field.split(".")[0]
    given = {**(case.query or {}), **(case.body if isinstance(case.body, dict) else {})}
    return name in BEYOND_SCHEMAS and (given.get(name) is not None or name == "model")


def error_of(response):
    """Code and field of an error in any of the dialects. Ollama's has a text for both."""
    body = json.loads(response.content)
    error = body.get("error")
    if isinstance(error, str) and len(body) == 1:
        quoted = re.match(r'"([^"]*)"', error)
        return error, quoted[1] if quoted else ""
    if "metadata" in body:
        return body["metadata"].get("code", ""), body["metadata"].get("field", "")
    if isinstance(error, dict) and "param" in error:
        return error["code"] or "", error["param"] or ""
    if isinstance(error, dict):
        details = error["details"]
        return details.get("error_code", error.get("code", "")).lower(), details.get("field", "")
    return body.get("code", ""), body.get("field", "")

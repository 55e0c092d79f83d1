"""Reading YAML and JSON documents that are not trusted."""

import json
from typing import Any

import yaml

from lenet.errors import UserError


def read_yaml(text: str, source: str) -> Any:
    """Return what a YAML document holds; raise `UserError`, naming `source`, for what is none."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{source} is not YAML: {error}") from None


def read_json(text: str, source: str) -> Any:
    """Return the mapping that a JSON document holds; raise `UserError`, naming `source`, for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UserError(f"{source} holds no JSON object.")
    return found

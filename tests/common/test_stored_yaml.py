"""YAML from a store is read as plain values or refused in one message, whatever it says."""

import time

import pytest
import yaml

from lenet.common import stored_yaml
from lenet.common.stored_yaml import MAX_BYTES, read_yaml
from lenet.configuration.config import compose_config
from lenet.errors import UserError

REFUSED = {
    # document: what the message says
    "": "it holds nothing",
    "text": "it holds 'text'",
    "---": "it holds None",
    "a: &x 1": "anchor or alias in line 1",
    "a: 1\nb: *x": "anchor or alias in line 2",
    "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]": "anchor or alias",
    "a: !!python/object/apply:os.system [ls]": "tag '.*os.system' in line 1",
    "a: !!python/name:os.system": "tag",
    "a: !!str 1": "tag",
    "a: !!binary aGk=": "tag",
    "!!set {a}": "tag",
    "--- !!map {}": "tag",
    "%YAML 1.1\n---\na: 1": "directives",
    "%TAG ! tag:yaml.org,2002:python/\n---\na: 1": "directives",
    "a: 1\n---\nb: 2": "several documents",
    "a: 1\na: 2": "twice the key 'a' in line 2",
    "1: 2": "the key 1",
    "null: 2": "the key None",
    "? [a]\n: 1": r"the key \[\]",
    "<<: {a: 1}": "<<",
    "a: 2020-01-01": "2020-01-01",
    "a: =": "'='",
    "[" * 500_000: "deep|nesting",
    "{a: " * 100_000: "deep|nesting",
    "- " * 300_000 + "a": "deep|nesting",
    "a: " + "9" * 100_000: "the value '999",
    "a: " + "1:" * 200_000 + "1": "the value '1:1",
    "a: \udc80": "no YAML",
    "a: \x00": "no YAML",
    "a: \x1b[2J": "no YAML",
    "a: b: c": "no YAML",
    "'": "no YAML",
    "\t": "no YAML",
    "]": "no YAML",
    "a" * (MAX_BYTES + 1): "1,048,577 characters",
    "é" * MAX_BYTES: "characters",
}


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True)
def loader(request, monkeypatch):
    if not hasattr(yaml, request.param):
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(stored_yaml, "_LOADER", getattr(yaml, request.param))


@pytest.mark.parametrize(
    ("text", "said"), REFUSED.items(), ids=lambda text: text[:20].encode("unicode_escape").decode()
)
def test_what_no_run_stores_is_refused_in_one_message(text, said):
    began = time.monotonic()
    with pytest.raises(UserError, match=said) as error:
        read_yaml(text, "run 1: config.yaml")
    assert str(error.value).startswith("run 1: config.yaml is not what a run stores: ")
    assert len(str(error.value)) < 500
    assert time.monotonic() - began < 5


def test_what_a_run_stores_comes_back_as_it_was():
    config = compose_config(["tracking.experiment='1e-6'", "trainer.checkpoint_every=10s", "optimizer.lr=1e-6"])
    config["network"]["odd"] = ["2020-01-01", "=", "<<", "null", "é\x85\n", "${oc.env:HOME}", "!x", "0x1", None, True]
    config["network"]["numbers"] = [1, -2, 10**30, 1e300, 1e-300, float("inf"), 0.1, -0.0]
    assert read_yaml(yaml.safe_dump(config, sort_keys=False), "x") == config
    assert read_yaml(yaml.safe_dump(["optimizer.lr=0.1", "a='b,c'"]), "x") == ["optimizer.lr=0.1", "a='b,c'"]
    assert read_yaml("[]", "x") == []


def test_an_interpolation_stays_text(monkeypatch):
    monkeypatch.setenv("CANARY", "sings")
    assert read_yaml("a: ${oc.env:CANARY}", "x") == {"a": "${oc.env:CANARY}"}

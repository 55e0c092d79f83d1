"""What a report makes of findings: the network's row follows from those of its layers."""

from lenet.checking.gradients import Agreement
from lenet.checking.networks import Finding
from lenet.checking.report import problems, rows_of
from lenet.network import LayerSummary


def finding(name, error, operations=10, fault=None):
    agreements = {} if error is None else {"input": Agreement(error, (0,), 1.0, 1.0 + error)}
    return Finding(LayerSummary(name, "Kind", (3,), 0, 0, operations), agreements, fault, None)


def verdicts(*findings):
    return {row["layer"]: row["verdict"] for row in rows_of(findings, 1e-5)}


def test_a_network_with_right_layers_and_right_gradients_is_right():
    assert verdicts(finding("one", 1e-9), finding("", 1e-9)) == {"one": "right", "network": "right"}


def test_a_network_is_wrong_with_a_layer_whose_fault_its_own_gradients_do_not_show():
    findings = [finding("one", 1e-9), finding("two", 0.5), finding("", 1e-9)]
    assert verdicts(*findings) == {"one": "right", "two": "WRONG", "network": "WRONG"}
    assert rows_of(findings, 1e-5)[-1]["problem"] == "wrong in it: two."
    assert len(problems(findings, 1e-5)) == 1


def test_a_network_that_is_wrong_by_itself_says_why():
    findings = [finding("one", 1e-9), finding("", 0.5)]
    assert verdicts(*findings) == {"one": "right", "network": "WRONG"}
    assert problems(findings, 1e-5)[0].startswith("network: the gradient of its input is wrong: at (0,)")


def test_a_network_with_a_layer_at_fault_has_no_verdict():
    assert verdicts(finding("one", None, fault="gone"), finding("", None)) == {"one": "faulty", "network": ""}


def test_a_network_s_operations_are_those_that_its_layers_tell():
    rows = rows_of([finding("one", 0.0, 7), finding("two", 0.0, None), finding("", 0.0, None)], 1e-5)
    assert [(row["flop"], row["flop_complete"]) for row in rows] == [(7, True), (None, False), (7, False)]

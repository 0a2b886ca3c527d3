"""The table of refusals: what each rule tells whoever breaks it, and that all of them stand."""

import ast
from pathlib import Path

import pytest

import verifier
from verifier.errors import CourtError, PostError, Refused, refused, require

FAMILIES = {"PostError": PostError, "CourtError": CourtError}
RULES = [*PostError, *CourtError]


def rule_of(node):
    """The rule that an expression names, or None."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        family = FAMILIES.get(node.value.id)
        return None if family is None else family[node.attr]
    return None


def sites():
    """Yield (file and line, rule, how many operands) of all refusals; None for a star."""
    for path in sorted(Path(verifier.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in ("require", "refused", "_equal") and path.name != "errors.py":
                rule, *operands = node.args[1 if node.func.id == "require" else 0 :]
                stars = any(isinstance(one, ast.Starred) for one in operands)
                yield f"{path.name}:{node.lineno}", rule_of(rule), None if stars else len(operands)


SITES = list(sites())


def test_every_refusal_gives_the_operands_that_its_text_names():
    wrong = [
        (where, rule.name, rule.operands)
        for where, rule, given in SITES
        if rule is not None and given is not None and given != len(rule.operands)
    ]
    assert wrong == []


def test_every_rule_stands_in_the_court_and_every_refusal_names_one():
    assert {rule for _, rule, _ in SITES if rule is not None} == set(RULES)
    # `posting._equal` hands on the rule that it was given.
    assert [where.split(":")[0] for where, rule, _ in SITES if rule is None] == ["posting.py"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_text_says_what_was_expected_or_hands_on_what_does(rule):
    handed_on = rule.text.startswith("{problem}")
    assert handed_on or rule.text.startswith("expected ")
    assert handed_on or ("was " in rule.text and ";" in rule.text)
    assert len(set(rule.operands)) == len(rule.operands)


def test_operands_stand_in_their_order_and_bytes_as_hex():
    refusal = refused(CourtError.NOT_SUCCESSOR, "nobody yet", b"\x01\xff")
    assert refusal.code is CourtError.NOT_SUCCESSOR
    assert refusal.text == (
        "expected whom the operator named (nobody yet), was 01ff; have him name you first"
    )


def test_an_operand_too_few_or_too_many_is_no_refusal():
    for operands in ((), (1, 2, 3)):
        with pytest.raises(ValueError, match="zip"):
            refused(CourtError.CHALLENGE_WINDOW_OPEN, *operands)


def test_what_holds_is_not_refused():
    require(True, CourtError.FROZEN)
    with pytest.raises(Refused, match="FROZEN: expected a house that goes on"):
        require(False, CourtError.FROZEN)

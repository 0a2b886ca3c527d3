"""The formulas as functions of Python: imported by name, plain numbers in and out."""

import pkgutil

import pytest

from clearing import formulas
from clearing.formulas import FORMULAS, FormulaError, bankruptcy_price, evaluate, is_improvement
from clearing.formulas import median as middle

BANKRUPT = {
    "lots": 5,
    "mark_price": 1_000,
    "equity": 300,
    "maintenance_freed": 40,
    "maintenance": 100,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula_can_be_imported_and_asks_for_its_arguments(name):
    function = getattr(formulas, name)
    assert (function.__name__, function.__doc__) == (name, FORMULAS[name].summary)
    with pytest.raises(FormulaError, match="unknown no_such_argument"):
        function(no_such_argument=1)


def test_no_formula_hides_a_module_or_a_name_of_the_package():
    modules = {module.name for module in pkgutil.iter_modules(formulas.__path__)}
    assert not FORMULAS.keys() & (modules | vars(formulas).keys())
    assert FORMULAS.keys() <= set(dir(formulas))


def test_arguments_stand_in_order_or_by_name_and_several_results_have_names():
    found = bankruptcy_price(*BANKRUPT.values())
    assert found == bankruptcy_price(**BANKRUPT)
    assert found._asdict() == evaluate("bankruptcy_price", BANKRUPT)
    price, quote = found
    assert (price, quote) == (found.price, found.quote)


def test_one_result_is_a_plain_number_or_a_bool():
    assert middle([3, 1, 2]) == 2
    assert type(middle([3, 1, 2])) is int
    assert is_improvement(-5, 10, -4, 10) is True


def test_a_wrong_call_is_told_the_arguments():
    with pytest.raises(FormulaError, match="at most 1 arguments, each once: values; was 2"):
        middle([1], [2])
    with pytest.raises(FormulaError, match="and values again"):
        middle([1], values=[2])
    with pytest.raises(FormulaError, match="missing values"):
        middle()


def test_a_name_that_is_no_formula_is_answered_with_those_like_it():
    with pytest.raises(ImportError):
        from clearing.formulas import bankrupcy_price  # noqa: F401
    with pytest.raises(AttributeError, match="like bankruptcy_price"):
        _ = formulas.bankrupcy_price

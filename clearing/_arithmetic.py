"""The compiler pass that gives law functions trapped int64 arithmetic and refuses floats.

numba lowers ``+ - *`` on int64 to LLVM instructions marked "no signed wrap": an overflow there
is undefined, so two machines may legally disagree about it. Law functions replace them by the
``llvm.*.with.overflow`` intrinsics, which raise OverflowError, at no measurable cost.
"""

from __future__ import annotations

import importlib
import operator
from typing import Any, ClassVar

import numpy as np

from clearing._backend import extending, types

errors: Any = importlib.import_module("numba.core.errors")
ir: Any = importlib.import_module("numba.core.ir")
compiler: Any = importlib.import_module("numba.core.compiler")
machinery: Any = importlib.import_module("numba.core.compiler_machinery")
passes: Any = importlib.import_module("numba.core.typed_passes")
templates: Any = importlib.import_module("numba.core.typing.templates")

INT64_MIN = -(1 << 63)


def checked_add(left: int, right: int) -> int:
    """Marker for ``left + right``; exists only to be lowered."""
    return left + right


def checked_subtract(left: int, right: int) -> int:
    """Marker for ``left - right``; exists only to be lowered."""
    return left - right


def checked_multiply(left: int, right: int) -> int:
    """Marker for ``left * right``; exists only to be lowered."""
    return left * right


def checked_floor_divide(left: int, right: int) -> int:
    """Marker for ``left // right``; exists only to be lowered."""
    return left // right


def checked_negate(value: int) -> int:
    """Marker for ``-value``; exists only to be lowered."""
    return -value


def checked_absolute(value: int) -> int:
    """Marker for ``abs(value)``; exists only to be lowered."""
    return abs(value)


BINARY = {
    operator.add: checked_add,
    operator.sub: checked_subtract,
    operator.mul: checked_multiply,
    operator.floordiv: checked_floor_divide,
}
IN_PLACE = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.ifloordiv: operator.floordiv,
}
# NumPy wraps these silently in the interpreted run, so trapping them here would make the two
# runs disagree; the law does without them.
REFUSED_BINARY = {operator.pow: "**", operator.ipow: "**"}
REFUSED_CALLS = {
    pow: "pow",
    divmod: "divmod",
    sum: "sum",
    round: "round",
    np.sum: "np.sum",
    np.prod: "np.prod",
    np.cumsum: "np.cumsum",
    np.cumprod: "np.cumprod",
    (types.Array, "sum"): "array.sum",
    (types.Array, "prod"): "array.prod",
    (types.Array, "cumsum"): "array.cumsum",
    (types.Array, "cumprod"): "array.cumprod",
}


INT64_BINARY = templates.signature(types.int64, types.int64, types.int64)


@templates.infer_global(checked_add)
@templates.infer_global(checked_subtract)
@templates.infer_global(checked_multiply)
@templates.infer_global(checked_floor_divide)
class _BinaryTemplate(templates.ConcreteTemplate):  # type: ignore[misc]
    cases: ClassVar[list[Any]] = [INT64_BINARY]


@templates.infer_global(checked_negate)
@templates.infer_global(checked_absolute)
class _UnaryTemplate(templates.ConcreteTemplate):  # type: ignore[misc]
    cases: ClassVar[list[Any]] = [templates.signature(types.int64, types.int64)]


def _raise_if(context: Any, builder: Any, condition: Any, name: str) -> None:
    with builder.if_then(condition, likely=False):
        message = f"int64 overflow in {name}: run interpreted (NUMBA_DISABLE_JIT=1) for the line"
        context.call_conv.return_user_exc(builder, OverflowError, (message,))


def _with_overflow(method: str, name: str) -> Any:
    def lower(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pair = getattr(builder, method)(*arguments)
        _raise_if(context, builder, builder.extract_value(pair, 1), name)
        return builder.extract_value(pair, 0)

    return lower


def _lower_negate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    (value,) = arguments
    pair = builder.ssub_with_overflow(value.type(0), value)
    _raise_if(context, builder, builder.extract_value(pair, 1), "negation")
    return builder.extract_value(pair, 0)


def _lower_absolute(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    (value,) = arguments
    negative = builder.icmp_signed("<", value, value.type(0))
    _raise_if(context, builder, builder.icmp_signed("==", value, value.type(INT64_MIN)), "abs")
    return builder.select(negative, builder.sub(value.type(0), value), value)


def _lower_floor_divide(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    left, right = arguments
    smallest = builder.icmp_signed("==", left, left.type(INT64_MIN))
    minus_one = builder.icmp_signed("==", right, right.type(-1))
    _raise_if(context, builder, builder.and_(smallest, minus_one), "division")
    function = context.typing_context.resolve_value_type(operator.floordiv)
    resolved = function.get_call_type(context.typing_context, signature.args, {})
    return context.get_function(function, resolved)(builder, arguments)


extending.lower_builtin(checked_add, types.int64, types.int64)(
    _with_overflow("sadd_with_overflow", "addition")
)
extending.lower_builtin(checked_subtract, types.int64, types.int64)(
    _with_overflow("ssub_with_overflow", "subtraction")
)
extending.lower_builtin(checked_multiply, types.int64, types.int64)(
    _with_overflow("smul_with_overflow", "multiplication")
)
extending.lower_builtin(checked_floor_divide, types.int64, types.int64)(_lower_floor_divide)
extending.lower_builtin(checked_negate, types.int64)(_lower_negate)
extending.lower_builtin(checked_absolute, types.int64)(_lower_absolute)


def _holds_float(kind: Any) -> bool:
    if isinstance(kind, (types.Float, types.Complex)):
        return True
    if isinstance(kind, types.Array):
        return _holds_float(kind.dtype)
    if isinstance(kind, types.BaseTuple):
        return any(_holds_float(item) for item in kind.types)
    if isinstance(kind, types.Record):
        return any(_holds_float(field.type) for field in kind.fields.values())
    return isinstance(kind, types.NestedArray) and _holds_float(kind.dtype)


def _refuse(state: Any, location: Any, what: str) -> None:
    name = state.func_id.func_qualname
    raise errors.TypingError(
        f"law function {name}, {location.filename}:{location.line}: {what}", loc=location
    )


def _resolved(state: Any, function: Any) -> Any:
    """Return the type of ``function``, with its int64 case chosen so that lowering finds it."""
    kind = state.typingctx.resolve_value_type(function)
    kind.get_call_type(state.typingctx, (types.int64,), {})
    return kind


@machinery.register_pass(mutates_CFG=False, analysis_only=False)
class CheckArithmetic(machinery.FunctionPass):  # type: ignore[misc]
    """Trap int64 arithmetic, refuse floats and mixed signs, once the types are known."""

    _name = "novatio_check_arithmetic"

    def __init__(self) -> None:
        machinery.FunctionPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        for argument, kind in zip(state.func_id.arg_names, state.args, strict=True):
            if _holds_float(kind):
                _refuse(state, state.func_ir.loc, f"argument {argument} is {kind}; use int64")
        for block in state.func_ir.blocks.values():
            for statement in block.find_insts(ir.Assign):
                self._check_assignment(state, statement)
        return True

    def _check_assignment(self, state: Any, statement: Any) -> None:
        kind = state.typemap[statement.target.name]
        if _holds_float(kind):
            _refuse(
                state, statement.loc, f"{statement.target.name} became {kind}; the law is int64"
            )
        value = statement.value
        if not isinstance(value, ir.Expr):
            return
        if value.op in ("binop", "inplace_binop"):
            self._check_binary(state, statement, value)
        elif value.op == "unary":
            self._check_unary(state, statement, value)
        elif value.op == "call":
            self._check_call(state, statement, value)

    def _check_binary(self, state: Any, statement: Any, value: Any) -> None:
        call = state.calltypes[value]
        operands = (state.typemap[value.lhs.name], state.typemap[value.rhs.name])
        integers = [kind for kind in operands if isinstance(kind, types.Integer)]
        if any(kind.signed for kind in integers) and types.uint64 in integers:
            _refuse(state, statement.loc, "int64 meets uint64; convert with np.int64 first")
        if not all(isinstance(kind, (types.Integer, types.Boolean)) for kind in call.args):
            return
        result = state.typemap[statement.target.name]
        if isinstance(result, types.Integer) and not result.signed:
            _refuse(state, statement.loc, f"the result is {result}; convert with np.int64 first")
        function = value.fn if value.op == "binop" else value.immutable_fn
        function = IN_PLACE.get(function, function)
        if function in REFUSED_BINARY:
            _refuse(state, statement.loc, f"{REFUSED_BINARY[function]} wraps; multiply instead")
        if function not in BINARY:
            return
        # NumPy adds two booleans to a boolean and narrow integers to narrow ones; numba widens.
        narrow = any(kind != types.int64 for kind in map(types.unliteral, integers))
        booleans = all(isinstance(kind, types.Boolean) for kind in operands)
        if narrow or booleans or call != INT64_BINARY:
            kinds = " and ".join(str(kind) for kind in operands)
            _refuse(state, statement.loc, f"arithmetic on {kinds}; convert with np.int64 first")
        if value.op == "binop":
            value.fn = BINARY[function]
        else:
            value.immutable_fn = BINARY[function]

    def _check_unary(self, state: Any, statement: Any, value: Any) -> None:
        call = state.calltypes[value]
        if value.fn is not operator.neg or not isinstance(call.args[0], types.Integer):
            return
        if call.args != (types.int64,) or call.return_type != types.int64:
            _refuse(state, statement.loc, f"negation must be on int64, not {call}")
        value.fn = checked_negate
        _resolved(state, checked_negate)

    def _check_call(self, state: Any, statement: Any, value: Any) -> None:
        function = state.typemap[value.func.name]
        if not isinstance(function, (types.Function, types.BoundFunction)):
            return
        key = function.typing_key
        if key in REFUSED_CALLS:
            _refuse(state, statement.loc, f"{REFUSED_CALLS[key]}() is outside the law")
        if key is abs:
            call = state.calltypes[value]
            if call.args != (types.int64,) or call.return_type != types.int64:
                _refuse(state, statement.loc, f"abs() must be on int64, not {call}")
            state.typemap.pop(value.func.name)
            state.typemap[value.func.name] = _resolved(state, checked_absolute)


class LawCompiler(compiler.CompilerBase):  # type: ignore[misc]
    """numba's nopython pipeline with CheckArithmetic right after type inference."""

    def define_pipelines(self) -> list[Any]:
        """Return the one pipeline of law functions."""
        manager = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.add_pass_after(CheckArithmetic, passes.NopythonTypeInference)
        manager.finalize()
        return [manager]

"""Named tuples of arrays that compiled functions pass on as one pointer.

numba passes a tuple by value: seven numbers an array, at every call. The law's state has some
forty arrays, so most of its machine code would be copying. A class marked ``by_reference`` is
unpacked once, by the wrapper of the entry that Python calls, and handed on as its address.
"""

from __future__ import annotations

import hashlib
import importlib
from typing import Any, TypeVar

from clearing._backend import INTERPRETED, cgutils, extending, llvm_ir, types

templates: Any = importlib.import_module("numba.core.typing.templates")

T = TypeVar("T", bound=type)


class Reference(types.Type):  # type: ignore[misc]
    """The compiled type: the address of a structure of ``members``, in the order of the fields."""

    def __init__(self, cls: type, members: tuple[Any, ...]) -> None:
        self.cls = cls
        self.fields: tuple[str, ...] = tuple(cls._fields)  # type: ignore[attr-defined]
        self.members = members
        # The name goes into every symbol, so it stands for the members and does not spell them.
        digest = hashlib.sha256(str(members).encode()).hexdigest()[:8]
        super().__init__(name=f"{cls.__name__}&{digest}")

    @property
    def key(self) -> Any:
        """What two equal types share."""
        return self.cls, self.members


def by_reference(cls: T) -> T:
    """Pass instances of the named tuple ``cls`` to compiled functions by reference.

    They read its fields; they neither make nor unpack nor return one.
    """
    if not INTERPRETED:

        def typeof(value: Any, context: Any) -> Reference:
            return Reference(cls, tuple(extending.typeof_impl(item, context) for item in value))

        extending.typeof_impl.register(cls)(typeof)
    return cls


@extending.register_model(Reference)
class _Model(extending.models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Reference) -> None:
        members = [manager.lookup(member).get_value_type() for member in kind.members]
        super().__init__(manager, kind, llvm_ir.LiteralStructType(members).as_pointer())


@extending.infer_getattr
class _Fields(templates.AttributeTemplate):  # type: ignore[misc]
    key = Reference

    def generic_resolve(self, kind: Reference, name: str) -> Any:
        """Return the type of a field, None if there is no such field."""
        return kind.members[kind.fields.index(name)] if name in kind.fields else None


def _load_field(context: Any, builder: Any, kind: Reference, address: Any, name: str) -> Any:
    place = cgutils.gep_inbounds(builder, address, 0, kind.fields.index(name))
    value = builder.load(place)
    # Nothing writes the structure after `_unbox`, so the optimiser may read a field once only.
    value.set_metadata("invariant.load", builder.module.add_metadata([]))
    return value


def _unbox(kind: Reference, value: Any, c: Any) -> Any:
    builder = c.builder
    structure = cgutils.alloca_once(builder, c.context.get_value_type(kind).pointee)
    failed = cgutils.alloca_once_value(builder, cgutils.false_bit)
    size = c.pyapi.tuple_size(value)
    with builder.if_then(
        builder.icmp_unsigned("!=", size, llvm_ir.Constant(size.type, len(kind.members))),
        likely=False,
    ):
        c.pyapi.err_set_string("PyExc_ValueError", f"{kind.cls.__name__} lost a field")
        builder.store(cgutils.true_bit, failed)
    cleanups = []
    for index, member in enumerate(kind.members):
        native = c.unbox(member, c.pyapi.tuple_getitem(value, index))
        builder.store(native.value, cgutils.gep_inbounds(builder, structure, 0, index))
        with builder.if_then(native.is_error, likely=False):
            builder.store(cgutils.true_bit, failed)
        if native.cleanup is not None:
            cleanups.append(native.cleanup)
    # The loads above are promised to see no write: the optimiser must not look behind this line.
    barrier = llvm_ir.InlineAsm(
        llvm_ir.FunctionType(structure.type, [structure.type]), "", "=r,0,~{memory}", True
    )

    def cleanup() -> None:
        for step in reversed(cleanups):
            step()

    return extending.NativeValue(
        builder.call(barrier, [structure]),
        is_error=builder.load(failed),
        cleanup=cleanup if cleanups else None,
    )


extending.lower_getattr_generic(Reference)(_load_field)
extending.unbox(Reference)(_unbox)

"""The two clients: one declaration of every call, with the surface that each of them shows."""

import inspect

import pytest

from novatio import _calls
from novatio.aio import AsyncClient
from novatio.client import Client

CALLS = {
    name: call
    for name, call in inspect.getmembers(_calls, inspect.isfunction)
    if call.__module__ == _calls.__name__ and not name.startswith("_")
}
STREAMS = {"tail", "margin_calls"}
OWN = {"close", "last_receipt"}


def public(cls):
    return {name for name in vars(cls) if not name.startswith("_")}


@pytest.mark.parametrize("cls", [Client, AsyncClient])
def test_a_client_has_every_call_and_nothing_else_but_its_streams(cls):
    assert public(cls) == set(CALLS) | STREAMS | OWN


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_shown_with_its_own_arguments_and_words(name):
    """What help() and notebooks show, from the class and from a client alike."""
    _, *arguments = inspect.signature(CALLS[name]).parameters.values()
    for cls in (Client, AsyncClient):
        method = getattr(cls, name)
        assert list(inspect.signature(method).parameters.values())[1:] == arguments
        assert method.__doc__ == CALLS[name].__doc__ and method.__doc__
    assert inspect.iscoroutinefunction(getattr(AsyncClient, name))
    assert not inspect.iscoroutinefunction(getattr(Client, name))
    client = Client("nowhere:1", key=bytes([1] * 32))
    assert list(inspect.signature(getattr(client, name)).parameters.values()) == arguments
    client.close()

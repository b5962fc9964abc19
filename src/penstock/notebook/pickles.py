"""Values that were asked to go as pickles: what this kernel wrote, and how a module reads it again.

A pickle runs code when it is read. So a module reads only the one whose digest it has, with the Python that wrote it, and
nothing here reads any. Classes and functions of cells go as text in the module; the pickle has their names.
"""

from __future__ import annotations

import hashlib
import io
import sys
import types
from typing import Any, NamedTuple

from penstock.display import show_bytes
from penstock.extras import need
from penstock.notebook.cells import is_typed
from penstock.notebook.values import Unwritable, why_not

PROTOCOL = 5
MOST_PICKLED = 256 << 20  # bytes

#: of what a module imports
IMPORTS = ("import hashlib", "import io", "import pathlib", "import pickle", "import sys")
READER = """\
class _Pickled(pickle.Unpickler):
    def persistent_load(self, name):
        return globals()[name]


def _unpickled(name, digest, python):
    if sys.version_info[:2] != python:
        raise ImportError("{} is for Python {}.{} and this is {}.{}".format(name, *python, *sys.version_info))
    content = pathlib.Path(__file__).with_name(name).read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ImportError("{} is not what the notebook wrote; run its cell again".format(name))
    return _Pickled(io.BytesIO(content)).load()
"""


class Pickled(NamedTuple):
    """The statement that reads a pickle, the file, and the classes and functions of cells that it names."""

    text: str
    file: str
    content: bytes
    typed: dict[str, Any]


def pickle_value(value: Any, name: str) -> Pickled:
    """Pickle a value. Raises Unwritable, and DefinitionError where cloudpickle is not installed."""
    typed = dict[str, Any]()
    held = io.BytesIO()
    pickler: Any = type("Pickler", (need("cloudpickle", "notebook").Pickler,), {"persistent_id": persistent})
    writer = pickler(held, protocol=PROTOCOL)
    writer.typed = typed
    try:
        writer.dump(value)
    except Unwritable:
        raise
    except Exception as error:  # whatever the object's own code raises
        raise Unwritable(
            f"cannot be pickled ({type(error).__name__}: {error}); make it in the function"
        ) from None
    if len(content := held.getvalue()) > MOST_PICKLED:
        size, most = show_bytes(len(content)), show_bytes(MOST_PICKLED)
        raise Unwritable(
            f"is a pickle of {size}, and {most} are the most; write it to a file, name that in `needs`"
        )
    digest = hashlib.sha256(content).hexdigest()
    file = f"{name}_{digest[:12]}.pickle"
    text = f"{name} = _unpickled({file!r}, {digest!r}, {sys.version_info[:2]!r})\n"
    return Pickled(text, file, content, typed)


def persistent(pickler: Any, value: Any) -> str | None:
    """Return the name of a class or function that goes as text; None for whatever goes by value."""
    if isinstance(value, io.IOBase) and hasattr(
        value, "name"
    ):  # cloudpickle would take the content of a file along
        raise why_not(value)
    if not isinstance(value, (type, types.FunctionType)) or not is_typed(value):
        return None
    if not value.__qualname__.isidentifier():  # of another function, or a lambda
        return None
    if vars(sys.modules["__main__"]).get(value.__name__) is not value:
        raise Unwritable(
            f"is made of an earlier {value.__name__!r}; run the cell that makes it again, as that one changed"
        )
    pickler.typed[value.__name__] = value
    return value.__name__

"""Make the package of a command callable: `coevoer_edge.export(...)` as well as `coevoer_edge.export.exporter`.

In: a package that defines a function of its own name. Out: the package, callable as that function.
"""

import inspect
from types import ModuleType
from typing import Any


class CallableModule(ModuleType):
    """A package that, when called, calls the function of its own name.

    The command `export` is a package, because it has several files, and people who work in Python expect
    `coevoer_edge.export(...)` to export. A package makes itself callable in its `__init__.py`:

        sys.modules[__name__].__class__ = CallableModule

    Arguments are passed on unchanged, so the function's own signature applies; `inspect.signature`, and therefore the
    help of notebooks, shows it. For type checkers, `coevoer_edge/__init__.py` imports the function under the package's
    name.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self._function()(*args, **kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        """The function's signature, for `inspect` and the help of notebooks."""
        return inspect.signature(self._function())

    def _function(self) -> Any:
        return getattr(self, self.__name__.rpartition(".")[2])

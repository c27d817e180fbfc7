"""The unpacked folder of a dataset, with errors that say which file is missing and where to get it.

In: a folder and the files that a reader expects in it. Out: checked paths and parsed JSON, or `InputError`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from coevoer_edge.errors import InputError

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Published:
    """A dataset's description for error messages.

    layout: the contents of the folder. get_it: where to register for or request the dataset, and how to unpack it.
    """

    name: str
    layout: str
    get_it: str

    def folder(self, path: Path | str) -> Path:
        """The dataset's folder.

        Raises:
            InputError: it does not exist or is a file.
        """
        path = Path(path)
        if not path.is_dir():
            what = "is a file" if path.exists() else "does not exist"
            raise InputError(f"{path} {what}; give the folder of {self.name}, with {self.layout}. {self.get_it}")
        return path

    def lacks(self, folder: Path, missing: str) -> InputError:
        """The error for a folder in which something is missing."""
        return InputError(f"{folder} has no {missing}; {self.name} is expected as {self.layout}. {self.get_it}")

    def json(self, folder: Path, relative: str) -> Any:
        """Parse one of its JSON files.

        Raises:
            InputError: it is missing or is not JSON.
        """
        path = folder / relative
        if not path.is_file():
            raise self.lacks(folder, relative)
        try:
            with path.open(encoding="utf-8") as file:
                return json.load(file)
        except ValueError as error:
            raise InputError(f"{path} is not JSON ({error}); unpack the download of {self.name} again.") from None

    def damaged(self, path: Path, error: Exception) -> InputError:
        """The error for a file whose content differs from the published form."""
        what = f"lacks {error}" if isinstance(error, KeyError) else f"is not as published ({error})"
        return InputError(f"{path} {what}; unpack the download of {self.name} again. {self.get_it}")

"""Folders as a dataset's download unpacks to: what is missing and where one gets it.

In: a folder and what a reader looks for in it. Out: checked paths and parsed JSON, or `InputError`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from coevoer_edge.errors import InputError

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Published:
    """What an error message says about a dataset.

    layout: what the folder holds. get_it: where one registers or asks for it, and what to do with it then.
    """

    name: str
    layout: str
    get_it: str

    def folder(self, path: Path | str) -> Path:
        """The dataset's folder.

        Raises:
            InputError: it is not there.
        """
        path = Path(path)
        if not path.is_dir():
            what = "is a file" if path.exists() else "does not exist"
            raise InputError(f"{path} {what}; give the folder of {self.name}: {self.layout}. {self.get_it}")
        return path

    def lacks(self, folder: Path, missing: str) -> InputError:
        """The error for a folder in which something is missing."""
        return InputError(f"{folder} has no {missing}; {self.name} is expected as {self.layout}. {self.get_it}")

    def json(self, folder: Path, relative: str) -> Any:
        """Parse one of its JSON files.

        Raises:
            InputError: it is missing or no JSON.
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
        """The error for a file whose content is not as published."""
        what = f"lacks {error}" if isinstance(error, KeyError) else f"is not as published ({error})"
        return InputError(f"{path} {what}; unpack the download of {self.name} again. {self.get_it}")

"""Kinds of values in an option file. Each carries the words of its error message."""

import os
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class Must:
    """One message for every way in which a value can be wrong: 'must be ...'."""

    be: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.custom_error_schema(
            handler(source), custom_error_type="must", custom_error_message=f"must be {self.be}"
        )


def _possible(path: str) -> str:
    """The path, if a file system can have it."""
    if not path or CONTROL.search(path) or any(len(os.fsencode(name)) > 255 for name in path.split("/")):
        raise ValueError
    return path


CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # characters that no option has
FOLDER_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$"  # at most 200 bytes
Name = Annotated[
    str,
    Field(pattern=FOLDER_NAME),
    Must("a folder name: at most 200 letters, digits, _, - and ., beginning with a letter, a digit or _"),
]
NamePart = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$"),
    Must("a part of a file name: at most 100 letters, digits, _, - and ."),
]
Text = Annotated[str, Field(min_length=1), Must("a string")]
FilePath = Annotated[str, AfterValidator(_possible), Must("a path (no control characters, names of at most 255 bytes)")]
Switch = Annotated[bool, Must("true or false")]
Index = Annotated[int, Field(ge=0), Must("an integer of 0 or more")]
Count = Annotated[int, Field(ge=1), Must("an integer of 1 or more")]
Number = Annotated[float, Must("a number")]
NotNegative = Annotated[float, Field(ge=0), Must("a number of 0 or more")]
Positive = Annotated[float, Field(gt=0), Must("a number above 0")]
Fraction = Annotated[float, Field(ge=0, lt=1), Must("a number of 0 or more and below 1")]
Probability = Annotated[float, Field(ge=0, le=1), Must("a number from 0 to 1")]
Probabilities = Annotated[
    list[Annotated[float, Field(ge=0, le=1)]],
    Field(min_length=3, max_length=3),
    Must("a list of three probabilities"),
]
Range = Annotated[
    list[Annotated[float, Field(ge=0)]],
    Field(min_length=2, max_length=2),
    Must("a list of two numbers of 0 or more: the least and the largest"),
]
Counts = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1), Must("a list of integers of 1 or more")]
Indices = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1), Must("a list of integers of 0 or more")]
Weights = Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1), Must("a list of numbers above 0")]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1), Must("an integer from 0 to 4294967295")]
Betas = Annotated[
    list[Annotated[float, Field(ge=0, lt=1)]],
    Field(min_length=2, max_length=2),
    Must("a list of two numbers of 0 or more and below 1"),
]
Gpus = Annotated[Literal["auto"] | Annotated[int, Field(ge=0)], Must("auto or an integer of 0 or more")]
Workers = Annotated[int, Field(ge=0, le=256), Must("an integer from 0 to 256")]
BatchSize = Annotated[int, Field(ge=1, le=65536), Must("an integer from 1 to 65536")]

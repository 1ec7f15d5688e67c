"""What every section of an option file is: a mapping of known keys, whose values are checked."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ..errors import did_you_mean, plain
from .kinds import Text


def wrong(message: str, key: str = "") -> PydanticCustomError:
    """An error of a section, or of one of its keys, whose message says all."""
    return PydanticCustomError("wrong", "{message}", {"message": message, "key": key})


class Section(BaseModel):
    """A section whose keys are all known."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _is_a_mapping_of_known_keys(cls, section: Any) -> Any:
        if not isinstance(section, dict):
            raise PydanticCustomError("must", "must be a mapping (key: value)")
        if cls.model_config["extra"] == "forbid":
            for key in section:
                if key not in cls.model_fields:
                    raise wrong(f"no option {plain(key)!r}{did_you_mean(key, cls.model_fields)}")
        return section


class Built(Section):
    """A section that builds an object of a registered class; its other keys are the arguments."""

    model_config = ConfigDict(extra="allow")

    type: Text = Field(description="The registered name.")

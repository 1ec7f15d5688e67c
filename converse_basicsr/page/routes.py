"""What is asked, and the answers."""

import json
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote

from ..errors import UserError
from .desk import Desk
from .guard import Refused

JSON = "application/json"
PNG = "image/png"


@dataclass(frozen=True)
class Request:
    """A request that may be answered.

    Attributes:
        path: behind the token.
        query: behind the question mark.
        body: b'' for GET.
    """

    method: str
    path: str
    query: str
    body: bytes = b""

    def value(self, name: str) -> str:
        """A value of the query.

        Raises:
            UserError: it is missing, or there are several.
        """
        values = parse_qs(self.query, keep_blank_values=True).get(name, [])
        if len(values) != 1:
            raise UserError(f"the address needs one value of {name}")
        return values[0]


@dataclass(frozen=True)
class Answer:
    type: str
    content: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def as_json(value: object, status: int = 200) -> Answer:
    return Answer(JSON, json.dumps(value).encode(), status)


def answer(desk: Desk, request: Request) -> Answer:
    """The answer to anything but a file of the page.

    Raises:
        UserError: what is asked for is not valid.
        Refused: there is no such address.
    """
    for (method, pattern), route in _ROUTES.items():
        found = re.fullmatch(pattern, request.path)
        if found and method == request.method:
            return route(desk, request, *found.groups())
    raise Refused(404, "there is nothing at this address")


def _networks(desk: Desk, request: Request) -> Answer:
    return as_json(desk.choices.describe())


def _add_picture(desk: Desk, request: Request) -> Answer:
    return as_json(desk.add_upload(request.value("name"), request.body).describe(), 201)


def _picture(desk: Desk, request: Request, id: str) -> Answer:
    return Answer(PNG, desk.preview(id))


def _add_kernel(desk: Desk, request: Request) -> Answer:
    return as_json({"id": desk.kernels.add(request.value("name"), request.body)}, 201)


def _kernel(desk: Desk, request: Request) -> Answer:
    return Answer(PNG, desk.kernels.png(request.value("kernel")))


def _add_job(desk: Desk, request: Request) -> Answer:
    try:
        settings = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise UserError("settings: must be JSON") from error
    job = desk.add_job(request.value("picture"), settings)
    return as_json(job.describe(desk.worker.place(job)), 201)


def _job(desk: Desk, request: Request, id: str) -> Answer:
    job = desk.job(id)
    return as_json(job.describe(desk.worker.place(job)))


def _cancel(desk: Desk, request: Request, id: str) -> Answer:
    desk.worker.cancel(desk.job(id))
    return _job(desk, request, id)


def _result_preview(desk: Desk, request: Request, id: str) -> Answer:
    return Answer(PNG, desk.result_preview(id))


def _result(desk: Desk, request: Request, id: str) -> Answer:
    quality = request.value("quality") if "quality=" in request.query else None
    if quality is not None and not (quality.isascii() and quality.isdecimal()):
        raise UserError(f"quality: must be from 1 to 100, got {quality!r}")
    name, content = desk.result(id, request.value("format"), quality and int(quality))
    disposition = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return Answer("application/octet-stream", content, headers={"Content-Disposition": disposition})


_ID = "([0-9a-f]{16})"
_ROUTES = {
    ("GET", "networks"): _networks,
    ("POST", "pictures"): _add_picture,
    ("GET", f"pictures/{_ID}"): _picture,
    ("POST", "kernels"): _add_kernel,
    ("GET", "kernel"): _kernel,
    ("POST", "jobs"): _add_job,
    ("GET", f"jobs/{_ID}"): _job,
    ("POST", f"jobs/{_ID}/cancel"): _cancel,
    ("GET", f"jobs/{_ID}/preview"): _result_preview,
    ("GET", f"jobs/{_ID}/result"): _result,
}

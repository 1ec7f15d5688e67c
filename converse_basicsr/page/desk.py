"""What the page works with: pictures, blur kernels, networks, and restorations."""

import secrets
import threading
from pathlib import Path

from ..errors import UserError
from ..images.formats import QUALITY, choose_format
from .choices import Choices
from .job import Job
from .kernels import Kernels
from .pictures import Upload, download_name, preview, read_upload, to_disk
from .settings import restorer_for, settings_from
from .worker import Cancelled, Worker

MOST_KEPT = 12  # pictures, and restorations that are over


class Missing(UserError):
    """There is no such picture or restoration, or no longer."""


class Desk:
    """Everything behind one address.

    Args:
        folder: for temporary files; the caller removes it.
        choices: the networks.
        device: for all of them; None: cuda if there is one.
    """

    def __init__(self, folder: Path, choices: Choices, device: str | None = None):
        self.folder = folder
        self.choices = choices
        self.device = device
        self.kernels = Kernels(folder)
        self.worker = Worker(choices.load, self._restore)
        self._uploads: dict[str, Upload] = {}
        self._jobs: dict[str, Job] = {}
        self._coding = threading.Lock()  # one picture at a time is decoded or encoded
        self._shelves = threading.Lock()

    def add_upload(self, name: str, content: bytes) -> Upload:
        """Take a picture; UserError if it is damaged or not supported."""
        with self._coding:
            upload = read_upload(secrets.token_hex(8), name, content, self.folder)
        with self._shelves:
            self._uploads[upload.id] = upload
            used = {job.upload.id for job in self._jobs.values()}
            self._forget([id for id in self._uploads if id not in used and id != upload.id], self._uploads)
        return upload

    def add_job(self, upload: str, settings: object) -> Job:
        """Put a restoration in line; UserError if there is no such picture, or a setting is not valid."""
        job = Job(secrets.token_hex(8), self.upload(upload), settings_from(settings))
        self.worker.add(job)
        with self._shelves:
            self._jobs[job.id] = job
            self._forget([id for id, each in self._jobs.items() if each.is_over], self._jobs)
        return job

    def upload(self, id: str) -> Upload:
        if id not in self._uploads:
            raise Missing("this picture is no longer here; open it again")
        return self._uploads[id]

    def job(self, id: str) -> Job:
        if id not in self._jobs:
            raise Missing("this restoration is no longer here; start it again")
        return self._jobs[id]

    def preview(self, upload: str) -> bytes:
        """The picture as PNG."""
        with self._coding:
            return preview(self.upload(upload).picture)

    def result_preview(self, job: str) -> bytes:
        """The restored picture as PNG."""
        with self._coding:
            return preview(self._result(self.job(job)))

    def result(self, job: str, format: str, quality: int | None) -> tuple[str, bytes]:
        """Name and content of the file to download.

        Raises:
            UserError: there is no result, or the format cannot hold it.
        """
        from ..images.writing import encode

        if quality is not None and not 1 <= quality <= 100:
            raise UserError(f"quality: must be from 1 to 100, got {quality}")
        found, chosen = self.job(job), choose_format(format)
        with self._coding:
            return download_name(found.upload, chosen), encode(self._result(found), chosen, quality or QUALITY)

    @staticmethod
    def _result(job: Job):
        if job.result is None:
            raise Missing("this restoration has no result")
        return job.result

    def _forget(self, ids: list[str], shelf: dict) -> None:
        """Keep the newest of these only; remove the files of the others."""
        for id in ids[: max(0, len(ids) - MOST_KEPT)]:
            del shelf[id]
            for file in self.folder.glob(f"{id}*.npy"):
                file.unlink(missing_ok=True)

    def _restore(self, job: Job) -> None:
        """Called in the worker's thread."""
        from ..restoration.pixels import restore_pixels
        from .layer_progress import reporting_layers

        def progress(share: float) -> None:
            job.share = share
            if job.cancelled:
                raise Cancelled

        restorer = restorer_for(job.settings, self.choices, self.kernels, self.device, job.notes.append)
        picture = job.upload.picture
        alpha = None if picture.alpha is None else picture.alpha[None]
        size = picture.pixels.shape[0] * picture.pixels.shape[1]
        with reporting_layers(restorer, size, progress) as per_call:
            pixels, alpha = restore_pixels(restorer, picture.pixels[None], alpha, per_call)
        after = picture.with_pixels(pixels[0], None if alpha is None else alpha[0])
        job.result = to_disk(after, self.folder / job.id)

"""The plain API: a photo goes in, the photo in colour comes out, in its own format."""

import asyncio
import io
import json
import zipfile
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import fastapi
import pydantic
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from colorization.inference import hints
from colorization.serving.engine import Engine
from colorization.serving.errors import Code, ServingError
from colorization.serving.jobs import ColorizedPhoto, ColorizeJob

MEDIA_TYPES = {name: f"image/{name.lower()}" for name in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")}
_FILES = ("photo", "reference")
_STEP_SECONDS = 0.2  # between two looks whether the client is still there


class ColorizeOptions(pydantic.BaseModel):
    """What may be asked for beside the photo: fields of the form, or parameters of the query."""

    model_config = pydantic.ConfigDict(extra="forbid")

    saturation: float = pydantic.Field(1.0, ge=0.0, le=10.0, description="Strength of colour; 0 is grey.")
    num_samples: int = pydantic.Field(1, ge=1, description="1: the automatic colour; more: variants, as a ZIP file.")
    seed: int = pydantic.Field(0, ge=0, lt=2**63, description="Chooses the variants.")
    sample: int | None = pydantic.Field(None, ge=1, description="Only this one of the variants, from 1: an image.")
    hints: str = pydantic.Field(
        "[]",
        max_length=1_000_000,
        description='Colours at points of the upright photo: [{"x": 12, "y": 9, "color": "#b03a2e", "radius": 4}].',
    )


def build_router(engine: Engine) -> fastapi.APIRouter:
    """Makes the router with `/colorize`."""
    router = fastapi.APIRouter(tags=["photos"])

    @router.post("/colorize", summary="Colorize a photo", openapi_extra=_describe_request(), responses=_RESPONSES)
    async def colorize(request: fastapi.Request) -> fastapi.Response:
        """Returns the photo in colour: its own size, format, orientation, EXIF, colour profile and transparency.

        Send the photo as the body, with options in the query, or as the field `photo` of a form. A form may also
        hold a `reference`: a photo in colour whose mood the result takes.
        """
        job, name = await read_job(request, engine.settings.max_images)
        result = await _work_while_connected(request, engine, job)
        return _respond(result, name, as_archive=len(result.images) > 1)

    return router


async def read_job(request: fastapi.Request, max_samples: int) -> tuple[ColorizeJob, str]:
    """Reads a request: form or bare photo.

    Returns:
      The job, and the photo's file name.

    Raises:
      ServingError: INVALID_ARGUMENT; names the field.
    """
    values: dict[str, Any] = dict(request.query_params)
    files: dict[str, bytes] = {}
    name = "photo"
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        try:
            async with request.form(max_files=len(_FILES), max_fields=len(ColorizeOptions.model_fields)) as form:
                for key, value in form.multi_items():
                    if key in values or key in files:
                        raise _wrong(f"{key} is given twice")
                    if not isinstance(value, UploadFile):
                        values[key] = value
                        continue
                    files[key] = await value.read()
                    name = value.filename or name if key == "photo" else name
        except HTTPException as error:
            raise _wrong(f"the form can't be read: {error.detail}") from error
    else:
        files["photo"] = await request.body()
    if unknown := [key for key in files if key not in _FILES]:
        raise _wrong(f"{unknown[0]}: no such file is taken; the photo goes into the field photo")
    if not files.get("photo"):
        raise _wrong("the photo is missing: send it as the body, or as the field photo of a form")
    options = _read_options(values)
    if options.num_samples > max_samples:
        raise _wrong(f"num_samples is {options.num_samples}; at most {max_samples} are made")
    if (options.sample or 1) > options.num_samples:
        raise _wrong(f"sample is {options.sample}, but num_samples is {options.num_samples}")
    if "reference" in files and options.num_samples > 1:
        raise _wrong("a reference gives one result; leave out num_samples")
    try:
        points = hints.parse_hints(options.hints)
    except hints.HintError as error:
        raise _wrong(f"hints: {error}") from error
    job = ColorizeJob(
        files["photo"],
        saturation=options.saturation,
        num_samples=options.num_samples,
        seed=options.seed,
        sample=options.sample,
        hints=tuple(points),
        reference=files.get("reference"),
    )
    return job, name


def _read_options(values: dict[str, Any]) -> ColorizeOptions:
    try:
        return ColorizeOptions.model_validate(values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise _wrong(f"{'.'.join(map(str, first['loc']))}: {first['msg'][0].lower()}{first['msg'][1:]}") from error


async def _work_while_connected(request: fastapi.Request, engine: Engine, job: ColorizeJob) -> ColorizedPhoto:
    """Gives up a job whose client has left: a page asks for many previews and waits for the last one only."""
    task = asyncio.create_task(engine.colorize(job))
    try:
        while not (await asyncio.wait({task}, timeout=_STEP_SECONDS))[0]:
            if await request.is_disconnected():
                raise ServingError(Code.UNAVAILABLE, "the client has left")
        return task.result()
    finally:
        task.cancel()


def _respond(result: ColorizedPhoto, name: str, *, as_archive: bool) -> fastapi.Response:
    path = PurePosixPath(name.replace("\\", "/"))
    if not as_archive:
        return _attach(result.images[0], MEDIA_TYPES[result.format], path.name or "photo")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # images are compressed already
        for number, data in enumerate(result.images, start=1):
            archive.writestr(f"{path.stem}_{number}{path.suffix}", data)
    return _attach(buffer.getvalue(), "application/zip", f"{path.stem}.zip")


def _attach(data: bytes, media_type: str, name: str) -> fastapi.Response:
    # RFC 6266: the name of a file may hold any character.
    disposition = f"inline; filename*=UTF-8''{quote(name, safe='')}"
    return fastapi.Response(data, media_type=media_type, headers={"content-disposition": disposition})


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The photo in colour.", "content": {"image/*": {}, "application/zip": {}}},
    400: {"description": "The photo or an option is wrong; the body says how."},
    413: {"description": "The request is too large."},
    429: {"description": "Too many requests are waiting; Retry-After says for how long."},
    500: {"description": "The photo ended the process that worked on it."},
    503: {"description": "No model is ready, or the server is shutting down."},
    504: {"description": "It took too long."},
}


def _describe_request() -> dict[str, Any]:
    """OpenAPI's view of a body that FastAPI cannot derive: it is a form or a bare photo."""
    schema = ColorizeOptions.model_json_schema()
    options = schema["properties"]
    binary = {"type": "string", "format": "binary"}
    form = {"type": "object", "required": ["photo"], "properties": {"photo": binary, "reference": binary, **options}}
    query = [
        {"name": key, "in": "query", "required": False, "schema": value, "description": value["description"]}
        for key, value in json.loads(json.dumps(options)).items()
    ]
    content = {"multipart/form-data": {"schema": form}, "application/octet-stream": {"schema": binary}}
    return {"requestBody": {"required": True, "content": content}, "parameters": query}


def _wrong(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)

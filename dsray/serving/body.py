"""From the bytes of a request to its list of instances; what cannot be read is refused with a 4xx status."""

from __future__ import annotations

import json
import re
from typing import Any

from fastapi import Request

from dsray.base import nearest


class Refusal(Exception):
    """A request that is answered with a 4xx status and one sentence; `field` is a dotted path into the body."""

    def __init__(self, status: int, kind: str, field: str | None, message: str):
        super().__init__(message)
        self.status, self.kind, self.field, self.message = status, kind, field, message


async def read_body(request: Request, limit: int) -> bytes:
    """The body, refused as soon as more than `limit` bytes of it have come or are announced."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        message = f"content-type is {repr(kind) if kind else 'missing'}; send application/json"
        raise Refusal(415, "content_type", None, message)
    announced = request.headers.get("content-length", "")
    body = bytearray()
    if not announced.isdecimal() or int(announced) <= limit:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                break
        else:
            return bytes(body)
    raise Refusal(413, "too_large", None, f"body is larger than {limit} bytes; send fewer instances at a time")


def read_instances(body: bytes, most: int) -> list[Any]:
    """The `instances` of a body, 1 to `most` of them; what they hold is not looked at."""
    try:
        content = json.loads(body.decode(json.detect_encoding(body)))  # strictly, unlike loads on its own
        if re.search(rb"\\u[dD][89a-fA-F]", body):  # escapes can spell half of a pair, which no text may hold
            json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Refusal(400, "json", None, 'body is not valid JSON; send {"instances": [...]}') from None
    if not isinstance(content, dict):
        raise Refusal(400, "json", None, 'body is not a JSON object; send {"instances": [...]}')
    for key in content:
        if key != "instances":
            raise Refusal(422, "body", key, f"{key}: unknown key; {nearest(key, ['instances'])}")
    if "instances" not in content:
        raise Refusal(422, "body", "instances", 'instances: is missing; send {"instances": [...]}')
    instances = content["instances"]
    if not isinstance(instances, list):
        raise Refusal(422, "body", "instances", f"instances: is not a list; send a list of 1 to {most} objects")
    if not 1 <= len(instances) <= most:
        message = f"instances: got {len(instances)} of them; send 1 to {most} at a time"
        raise Refusal(422, "body", "instances", message)
    return instances

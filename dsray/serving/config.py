"""The `serve` section: the HTTP endpoint of a compressed run."""

from __future__ import annotations

from pydantic import Field

from dsray.base import Config


class ServeConfig(Config):
    """One Ray Serve application."""

    host: str = Field("127.0.0.1", description="address to listen on; loopback unless told otherwise")
    port: int = Field(8000, ge=1, le=65535, description="TCP port")
    replicas: int = Field(1, ge=1, description="copies of the model")
    max_batch: int = Field(32, ge=1, description="instances answered in one call of the model")
    batch_wait_ms: float = Field(1.0, ge=0, description="milliseconds to wait for a batch to fill")
    body_limit_kb: int = Field(1024, ge=1, description="largest request body in KiB")
    max_instances: int = Field(256, ge=1, description="instances in one request at most")

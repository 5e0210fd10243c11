"""Ray Serve: an artefact behind HTTP, with requests batched into one call of the model."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import dsray.runtime.quiet  # noqa: F401  isort: skip
import ray
from ray import serve
from ray.serve.schema import LoggingConfig
from rich.console import Console

from dsray.base import RequestError, RunFailure
from dsray.compress import Artefact
from dsray.runtime.session import Session
from dsray.sections import ParallelConfig, ServeConfig
from dsray.serving import Predictor
from dsray.serving.api import build_api

QUIET = LoggingConfig(log_level="CRITICAL", enable_access_log=False)
READY_S = 60.0


class _Replica:
    """One copy of the model. The instances of waiting requests are answered in one call."""

    def __init__(self, folder: str, record: str | None, config: dict[str, Any]):
        self.config = ServeConfig.model_validate(config)
        self.predictor = Predictor(Artefact.load(Path(folder)))
        self._answer_batch.set_max_batch_size(self.config.max_batch)  # type: ignore[attr-defined]
        self._answer_batch.set_batch_wait_timeout_s(self.config.batch_wait_ms / 1000)  # type: ignore[attr-defined]
        self.api = build_api(self.predictor, self.config, self._answer, Path(record) if record else None)

    async def _answer(self, instances: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return list(await asyncio.gather(*(self._answer_batch(instance) for instance in instances)))

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.001)
    async def _answer_batch(self, instances: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self.predictor.predict(instances)


def _ingress(folder: str, record: str | None, config: dict[str, Any]) -> Any:
    """The ASGI application, built inside the replica."""
    return _Replica(folder, record, config).api


def build(args: dict[str, str]) -> serve.Application:
    """For `serve run dsray.runtime.serve:build run=runs/quickstart`; other keys are those of the `serve` section."""
    settings = {k: v for k, v in args.items() if k != "run"}
    if "run" not in args:
        raise RequestError("run: is missing; write run=runs/NAME")
    return application(Path(args["run"]), ServeConfig.model_validate(settings))


def application(run: Path, config: ServeConfig) -> serve.Application:
    """The Serve application of a run's artefact; it is verified here, before anything starts."""
    folder = run / "compressed"
    Artefact.load(folder)
    arguments = (str(folder.resolve()), str(run.resolve()), config.model_dump())
    deployment = serve.deployment(
        name="model",
        num_replicas=config.replicas,
        max_ongoing_requests=max(64, 4 * config.max_batch),
        logging_config=QUIET,
        ray_actor_options={"num_cpus": 0.5},
    )(serve.ingress(lambda: _ingress(*arguments))(type("Model", (), {})))
    return deployment.bind()


def start(run: Path, config: ServeConfig) -> str:
    """Serve the run in the session that is on; returns the URL once it answers."""
    app = application(run, config)
    logging.getLogger("ray.serve").setLevel(logging.CRITICAL)
    serve.start(http_options={"host": config.host, "port": config.port}, logging_config=QUIET)
    serve.run(app, name="dsray", route_prefix="/", blocking=False, logging_config=QUIET)
    host = f"[{config.host}]" if ":" in config.host else config.host
    url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{config.port}"
    _wait_ready(url)
    return url


def answer_once(run: Path, instance: dict[str, Any], config: ServeConfig) -> tuple[dict[str, Any], float]:
    """Start, answer one instance over HTTP on a free port, stop; the answer and the seconds until it came."""
    started = time.monotonic()
    url = start(run, config.replace(port=free_port(), host="127.0.0.1"))
    body = json.dumps({"instances": [instance]}).encode()
    request = urllib.request.Request(f"{url}/v1/predict", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=READY_S) as reply:
        answer = json.load(reply)["predictions"][0]
    seconds = time.monotonic() - started
    return answer, seconds


def serve_forever(run: Path, config: ServeConfig, console: Console) -> None:
    """Serve until Ctrl-C."""
    check_port(config)
    Artefact.load(run / "compressed")
    with Session(ParallelConfig()):
        url = start(run, config)
        console.print(f"serving {run} at {url} (Ctrl-C stops; {url}/docs describes the API)")
        example = run / "example.json"
        console.print(f"  curl -s {url}/v1/predict -H 'content-type: application/json' -d @{example}", soft_wrap=True)
        try:
            while True:
                time.sleep(0.2)
        except KeyboardInterrupt:
            console.print("stopped")


def check_port(config: ServeConfig) -> None:
    """Refuse a port that is taken, before anything starts."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.host, config.port))
        except OSError as error:
            raise RequestError(
                f"serve.port: cannot listen on {config.host}:{config.port} ({error.strerror}); give another --port"
            ) from None


def free_port() -> int:
    """A TCP port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_ready(url: str) -> None:
    """Serve may call itself ready before it answers: ask."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5) as reply:
                if reply.status == 200:
                    return
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > deadline:
                raise RunFailure(f"serve: {url} does not answer after {READY_S:.0f} s ({error})") from None
        time.sleep(0.05)


def stop() -> None:
    """Stop Serve in the session that is on."""
    if ray.is_initialized():
        serve.shutdown()

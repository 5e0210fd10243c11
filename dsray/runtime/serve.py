"""Ray Serve: an artefact behind HTTP, with requests batched into one call of the model."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import secrets
import shlex
import socket
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dsray.runtime.quiet  # noqa: F401  isort: skip
import ray
from pydantic import ValidationError
from ray import serve
from ray.exceptions import RayActorError
from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE
from ray.serve.context import _get_global_client
from ray.serve.schema import LoggingConfig
from rich.console import Console

from dsray.base import RequestError, RunFailure, explain
from dsray.base.interruption import end_on_sigterm
from dsray.base.kinds import Trust
from dsray.compress import Artefact
from dsray.parallel.config import ParallelConfig
from dsray.runtime.session import Session
from dsray.serving import Predictor
from dsray.serving.address import reach
from dsray.serving.api import build_api
from dsray.serving.config import ServeConfig

if TYPE_CHECKING:
    from dsray.base.protocols import Columns

QUIET = LoggingConfig(log_level="CRITICAL", enable_access_log=False)
READY_S = 60.0
ONGOING = 64
"""Requests that a replica works on at least before more of them wait in the proxy; Serve's own default is 5."""


class _Replica:
    """One copy of the model. The instances of waiting requests are answered in one call."""

    def __init__(self, folder: str, record: str, config: dict[str, Any], trust: Trust):
        self.predictor = Predictor(Artefact.load(Path(folder), trust))
        settings = ServeConfig.model_validate(config)
        self._answer_batch.set_max_batch_size(settings.max_batch)  # type: ignore[attr-defined]
        self._answer_batch.set_batch_wait_timeout_s(settings.batch_wait_ms / 1000)  # type: ignore[attr-defined]
        self.api = build_api(self.predictor, settings, self._answer, Path(record))

    async def _answer(self, rows: Sequence[Columns]) -> list[dict[str, Any]]:
        return list(await asyncio.gather(*(self._answer_batch(row) for row in rows)))

    @serve.batch(max_batch_size=32, batch_wait_timeout_s=0.001)
    async def _answer_batch(self, rows: list[Columns]) -> list[dict[str, Any]]:
        return self.predictor.answer_rows(rows)


def build(args: dict[str, str]) -> serve.Application:
    """For `serve run dsray.runtime.serve:build run=runs/quickstart`.

    `trust=true` allows the artefact to name kinds of input and target that are not dsray's. Other keys are those of
    the `serve` section; address and port belong to the Serve instance, not to an application.
    """
    if "run" not in args:
        raise RequestError("run: is missing; write run=runs/NAME")
    if (trust := args.get("trust", "false")) not in ("true", "false"):
        raise RequestError(f"trust: got '{trust}'; write trust=true, or leave it out")
    settings = {key: value for key, value in args.items() if key not in ("run", "trust")}
    for key in ("host", "port"):
        if key in settings:
            raise RequestError(
                f"serve.{key}: cannot be given here; it is set where Serve starts (serve start --http-{key})"
            )
    try:
        return application(Path(args["run"]), ServeConfig.model_validate(settings), trust == "true")
    except ValidationError as error:
        raise RequestError(f"serve.{explain(error, 'serve')}") from None


def application(run: Path, config: ServeConfig, trust: Trust = False) -> serve.Application:
    """The Serve application of a run's artefact; it is verified here, before anything starts."""
    folder = run / "compressed"
    Artefact.load(folder, trust)
    arguments = (str(folder.resolve()), str(run.resolve()), config.model_dump(), trust)
    deployment = serve.deployment(
        name="model",
        num_replicas=config.replicas,
        max_ongoing_requests=max(ONGOING, 2 * config.max_batch),
        logging_config=QUIET,
        ray_actor_options={"num_cpus": 0.5},
    )(serve.ingress(lambda: _Replica(*arguments).api)(type("Model", (), {})))
    return deployment.bind()


@contextmanager
def served(run: Path, config: ServeConfig, trust: Trust = False, *, lasting: bool = True) -> Iterator[str]:
    """Serve a run in the Ray session that is on; the value is the URL, which has answered.

    A cluster whose Serve is on already keeps its address, its port and its applications: this one is added beside
    them under a prefix of its own, and taken away in the end.

    lasting: the session goes on afterwards, so Serve is stopped; one that ends takes Serve with it, sooner and silently.
    """
    app = application(run, config, trust)
    logging.getLogger("ray.serve").setLevel(logging.CRITICAL)
    shared = _get_global_client(raise_if_no_controller_running=False)
    if shared is None:
        check_port(config)
        host, port, name, prefix = config.host, config.port, "dsray", "/"
        serve.start(http_options={"host": host, "port": port}, logging_config=QUIET)
    else:
        host, port = shared.http_config.host, shared.http_config.port
        name = f"dsray-{secrets.token_hex(4)}"
        prefix = f"/{name}"
    url = f"http://{_reachable(host)}:{port}{prefix.rstrip('/')}"
    try:
        serve.run(app, name=name, route_prefix=prefix, blocking=False, logging_config=QUIET)
        _wait_ready(url)
        yield url
    finally:
        if shared is not None:
            serve.delete(name)
        elif lasting:
            _stop_serve()


def _stop_serve() -> None:
    """`serve.shutdown()` without its line on the console: the controller dies in the call that Serve would retry."""
    controller = ray.get_actor(SERVE_CONTROLLER_NAME, namespace=SERVE_NAMESPACE)
    with suppress(RayActorError):
        ray.get(controller.graceful_shutdown.options(max_task_retries=0).remote(), timeout=READY_S)
    serve.shutdown()  # of a controller that is gone: forgets its client and handles


def answer_once(
    run: Path, instance: dict[str, Any], config: ServeConfig, trust: Trust = False
) -> tuple[dict[str, Any], float]:
    """Serve on a free port of loopback, answer one instance over HTTP, stop; the answer and the seconds until it came."""
    started = time.monotonic()
    lasting = bool(os.environ.get("RAY_ADDRESS"))
    with served(run, config.replace(port=free_port(), host="127.0.0.1"), trust, lasting=lasting) as url:
        body = json.dumps({"instances": [instance]}).encode()
        request = urllib.request.Request(f"{url}/v1/predict", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=READY_S) as reply:
            answer = json.load(reply)["predictions"][0]
        seconds = time.monotonic() - started
    return answer, seconds


def serve_forever(run: Path, config: ServeConfig, console: Console, *, trust: Trust = False) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    check_port(config)
    Artefact.load(run / "compressed", trust)
    with Session(ParallelConfig()) as session, served(run, config, trust, lasting=not session.own) as url:
        end_on_sigterm()  # Ray's own handler prints a trace
        about = f"{reach(config.host)}; its interface: {url}/docs; Ctrl-C stops"
        console.print(f"serving {run} at {url} ({about})", soft_wrap=True)
        example = run / "example.json"
        console.print(
            f"  curl -s {url}/v1/predict -H 'content-type: application/json' -d @{shlex.quote(str(example))}",
            soft_wrap=True,
        )
        try:
            while True:
                time.sleep(0.2)
        except KeyboardInterrupt:
            console.print("stopped")


def check_port(config: ServeConfig) -> None:
    """Refuse an address or port that cannot be listened on, before anything starts."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.host, config.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise RequestError(
                    f"serve.port: {config.port} is in use on {config.host}; stop what listens there or give --port"
                ) from None
            if error.errno == errno.EACCES:
                raise RequestError(f"serve.port: {config.port} needs more rights; give one above 1023") from None
            raise RequestError(
                f"serve.host: cannot listen on {config.host} ({error.strerror}); give an address of this machine"
            ) from None


def free_port() -> int:
    """A TCP port that is free on loopback now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _reachable(host: str) -> str:
    """The host of a URL for one that is listened on."""
    every = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
    return every.get(host) or (f"[{host}]" if ":" in host else host)


def _wait_ready(url: str) -> None:
    """Serve may call itself ready before it answers: ask."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5):
                return
        except OSError as error:  # an HTTP status that is no success is one too
            if time.monotonic() > deadline:
                raise RunFailure(f"serve: {url} does not answer after {READY_S:.0f} s ({error})") from None
        time.sleep(0.05)

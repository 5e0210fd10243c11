"""The artefact behind Ray Serve, over real HTTP."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dsray.base import RequestError
from dsray.serving import Predictor
from dsray.serving.config import ServeConfig

JSON = {"content-type": "application/json"}
pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def address(ray_session, tiny_run):
    from dsray.runtime.serve import free_port, served

    config = ServeConfig(port=free_port(), batch_wait_ms=20, body_limit_kb=64, max_instances=16)
    with served(tiny_run, config):
        yield ("127.0.0.1", config.port)


def ask(address, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(*address, timeout=30)
    connection.request(method, path, body, headers or {})
    reply = connection.getresponse()
    content = reply.read()
    connection.close()
    return reply.status, content


def predict(address, instances):
    status, content = ask(address, "POST", "/v1/predict", json.dumps({"instances": instances}), JSON)
    assert status == 200, content
    return json.loads(content)["predictions"]


def test_answers_equal_offline_ones_in_any_company(address, tiny_artefact, instances):
    predictor = Predictor(tiny_artefact)
    expected = [predictor.predict([instance])[0] for instance in instances]
    cuts = [0, 1, 2, 5, 12, 13, 29, 30, 38, 40]
    pieces = [slice(a, b) for a, b in itertools.pairwise(cuts)] * 3
    with ThreadPoolExecutor(12) as clients:
        found = list(clients.map(lambda piece: predict(address, instances[piece]), pieces))
    assert [expected[piece] for piece in pieces] == found
    assert len({answer["label"] for answer in expected}) > 2
    assert len({answer["confidence"] for answer in expected}) > 30


def test_a_bad_request_spoils_no_other(address, instances):
    good, bad = json.dumps({"instances": instances[:3]}), json.dumps({"instances": [instances[0], {"image": 1}]})
    with ThreadPoolExecutor(8) as clients:
        found = list(clients.map(lambda body: ask(address, "POST", "/v1/predict", body, JSON), [good, bad] * 12))
    assert [status for status, _ in found] == [200, 422] * 12


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"image": [[0] * 7] * 8}, "instances.1.image"),
        ({"image": "????"}, "instances.1.image"),
        ({"text": 3}, "instances.1.text"),
        ({"txet": "x"}, "instances.1.txet"),
    ],
)
def test_a_wrong_instance(address, instances, change, field):
    body = json.dumps({"instances": [instances[0], {**instances[1], **change}]})
    status, content = ask(address, "POST", "/v1/predict", body, JSON)
    assert (status, json.loads(content)["error"]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "kind"),
    [
        ("POST", "/v1/predict", "{", JSON, 400, "json"),
        ("POST", "/v1/predict", "[]", JSON, 400, "json"),
        ("POST", "/v1/predict", '{"instances": [{"text": "x"}]}', JSON, 422, "instance"),
        ("POST", "/v1/predict", json.dumps({"instances": [{}] * 17}), JSON, 422, "body"),
        ("POST", "/v1/predict", "{}", {"content-type": "text/plain"}, 415, "content_type"),
        ("POST", "/v1/predict", " " * 70_000, JSON, 413, "too_large"),
        ("POST", "/v1/predict", (b" " * 1024 for _ in range(70)), JSON, 413, "too_large"),
        ("GET", "/v1/predict", None, {}, 405, "method"),
        ("GET", "/nowhere", None, {}, 404, "not_found"),
    ],
)
def test_what_is_refused(address, method, path, body, headers, status, kind):
    found, content = ask(address, method, path, body, headers)
    error = json.loads(content)["error"]
    assert (found, error["type"]) == (status, kind)
    assert error["message"]


def test_the_other_pages(address, tiny_artefact):
    assert json.loads(ask(address, "GET", "/v1/model")[1])["version"] == tiny_artefact.version
    assert ask(address, "GET", "/healthz")[0] == 200
    assert ask(address, "GET", "/")[1] == b"<p>the report</p>"
    status, page = ask(address, "GET", "/docs")
    assert status == 200
    assert b"://" not in page


def test_beside_another_application_it_leaves_that_one_alone(address, tiny_run, tiny_artefact, instances):
    from dsray.runtime.serve import answer_once

    answer, seconds = answer_once(tiny_run, instances[0], ServeConfig())
    assert answer == Predictor(tiny_artefact).predict(instances[:1])[0]
    assert 0 < seconds < 60
    assert predict(address, instances[:1]) == [answer]


def test_requests_of_several_clients_share_one_call(address, tiny_run, tiny_artefact, instances):
    """One instance alone sits out the wait for company; six of six clients fill the batch, so nobody waits."""
    from dsray.runtime.serve import served

    full, wait_s = 6, 4.0
    predictor = Predictor(tiny_artefact)
    config = ServeConfig(max_batch=full, batch_wait_ms=1000 * wait_s)
    with served(tiny_run, config) as url:

        def timed(instance):
            body = json.dumps({"instances": [instance]}).encode()
            started = time.monotonic()
            with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/predict", body, JSON), timeout=60) as reply:
                return json.load(reply)["predictions"][0], time.monotonic() - started

        assert timed(instances[0])[1] >= wait_s
        with ThreadPoolExecutor(full) as clients:
            found = list(clients.map(timed, instances[:full]))
    assert [answer for answer, _ in found] == [predictor.predict([i])[0] for i in instances[:full]]
    assert max(seconds for _, seconds in found) < wait_s


def test_nobody_beyond_this_machine_is_listened_to(address):
    """The kernel's own table of listeners: 0100007F is 127.0.0.1."""
    heard = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        rows = [line.split() for line in table.read_text().splitlines()[1:]] if table.exists() else []
        heard += [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{address[1]:04X}")]
    assert heard == [f"0100007F:{address[1]:04X}"]


def test_an_altered_artefact_is_refused(tiny_run, tmp_path):
    from dsray.runtime.serve import application

    shutil.copytree(tiny_run, tmp_path / "run")
    model = tmp_path / "run" / "compressed" / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    with pytest.raises(RequestError, match=r"model\.onnx is missing or was altered"):
        application(tmp_path / "run", ServeConfig())


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "run: is missing"),
        ({"run": "r", "port": "1"}, "serve.port: cannot be given here"),
        ({"run": "r", "max_bach": "1"}, "serve.max_bach: unknown key; did you mean 'max_batch'"),
        ({"run": "r", "max_batch": "0"}, "serve.max_batch: .*got '0'"),
        ({"run": "r", "trust": "yes"}, "trust: got 'yes'; write trust=true"),
        ({"run": "/nowhere"}, "artefact: /nowhere/compressed holds no manifest.json"),
    ],
)
def test_wrong_arguments_of_serve_run(args, words):
    from dsray.runtime.serve import build

    with pytest.raises(RequestError, match=words):
        build(args)


def test_a_token_is_not_set_behind_the_back_of_ray():
    """`serve run` imports ray first, and then the builder: a cluster with a token that its driver lacks cannot start."""
    script = "import sys, os; {}; import dsray.runtime.quiet; print(os.environ.get('RAY_AUTH_MODE'))"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    for before, mode in (("import ray", "None"), ("pass", "token")):
        command = [sys.executable, "-c", script.format(before)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.split()[-1] == mode


def test_a_port_in_use_is_refused_before_ray_starts(tiny_run):
    from rich.console import Console

    from dsray.runtime.serve import serve_forever

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(RequestError, match=f"serve.port: {port} is in use"):
            serve_forever(tiny_run, ServeConfig(port=port), Console(quiet=True))
        assert time.monotonic() - started < 1


@pytest.mark.e2e
def test_the_printed_line_answers_and_ctrl_c_leaves_nothing(tiny_run):
    """As a user does, but for the record's other files, which the command line reads."""
    from dsray.runtime.serve import free_port

    port = free_port()
    script = (
        "import sys; from pathlib import Path; from dsray.terminal.console import console; from dsray.serving.config import ServeConfig;"
        "from dsray.runtime.serve import serve_forever;"
        "serve_forever(Path(sys.argv[1]), ServeConfig(port=int(sys.argv[2])), console())"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    server = subprocess.Popen(
        [sys.executable, "-c", script, str(tiny_run), str(port)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    first = [server.stdout.readline() for _ in range(2)]
    assert f"at http://127.0.0.1:{port} (reachable from this machine only, --host opens another address; " in first[0]
    assert first[1].strip().startswith(f"curl -s http://127.0.0.1:{port}/v1/predict ")
    assert shlex.split(first[1])[-2:] == ["-d", f"@{tiny_run / 'example.json'}"]
    url = f"http://127.0.0.1:{port}/v1/predict"
    request = urllib.request.Request(url, (tiny_run / "example.json").read_bytes(), JSON)
    with urllib.request.urlopen(request, timeout=30) as reply:
        assert len(json.load(reply)["predictions"]) == 1
    started = time.monotonic()
    server.send_signal(signal.SIGINT)
    said, error = server.communicate(timeout=30)
    seconds = time.monotonic() - started
    assert (said, error, server.returncode) == ("stopped\n", "", 0)
    assert seconds < 5
    left = subprocess.run(["pgrep", "-g", str(server.pid)], capture_output=True, text=True).stdout
    assert not left

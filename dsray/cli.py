"""The command line: each verb parses, calls one function, prints. Heavy imports wait until a verb needs them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    name="dsray",
    help="Distributed experiments on routed multimodal models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ExperimentFile = Annotated[Path, typer.Argument(help="experiment file (YAML)", show_default=False)]
Overrides = Annotated[
    list[str] | None, typer.Argument(help="dotted overrides, e.g. train.epochs=3", show_default=False)
]
Run = Annotated[Path, typer.Argument(help="run folder, e.g. runs/quickstart", show_default=False)]
Out = Annotated[Path | None, typer.Option(help="folder of the record instead of runs/NAME", show_default=False)]
Resume = Annotated[bool, typer.Option("--resume", help="go on with the record in --out, or the newest one")]
Local = Annotated[bool, typer.Option("--local", help="in this process, without Ray")]
Trust = Annotated[bool, typer.Option("--trust", help="allow plug-ins of its own that a record from elsewhere names")]


@app.command()
def run(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    out: Out = None,
    resume: Resume = False,
    local: Local = False,
) -> None:
    """Run every stage that the file names."""
    from dsray.terminal.console import console
    from dsray.verbs.run import run as run_experiment

    run_experiment(
        experiment, *(overrides or []), out=out, resume=resume, local=local, console=console(), command=_typed()
    )


@app.command()
def check(experiment: ExperimentFile, overrides: Overrides = None) -> None:
    """Validate, and print what the experiment comes to; start nothing."""
    from dsray.experiment import Experiment
    from dsray.terminal.console import console
    from dsray.verbs.check import outline

    console().print(outline(Experiment.load(experiment, overrides or [])))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the experiment file, for editors."""
    import json

    from dsray.base.kinds import json_schema
    from dsray.experiment import Experiment

    print(json.dumps(json_schema(Experiment), indent=1))


@app.command()
def init(kind: Annotated[str, typer.Argument(help="vision, text or multimodal")]) -> None:
    """Print a commented starter experiment."""
    from dsray.verbs.init import starter

    print(starter(kind), end="")


@app.command()
def predict(
    run: Run,
    file: Annotated[
        Path,
        typer.Argument(help="Parquet or CSV file, PNG or JPEG, or a folder of them", show_default=False),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help=".csv, .parquet or .jsonl file to write instead of printing", show_default=False),
    ] = None,
    trust: Trust = False,
) -> None:
    """Predict the rows of a file with the compressed model of a run."""
    from dsray.terminal.console import console
    from dsray.verbs.predict import predict_file

    predict_file(run, file, out, console(), trust=trust)


@app.command()
def attack(run: Run, overrides: Overrides = None, trust: Trust = False, local: Local = False) -> None:
    """Judge the robustness of a finished run again; overrides start with judge., e.g. judge.epsilon=0.05."""
    from dsray.terminal.console import console
    from dsray.verbs.attack import attack_run

    attack_run(run, overrides or [], trust=trust, local=local, console=console(), command=_typed())


@app.command()
def compress(run: Run, overrides: Overrides = None, trust: Trust = False, local: Local = False) -> None:
    """Quantise and export a finished run; overrides start with compress., and nothing is written if the gate fails."""
    from dsray.terminal.console import console
    from dsray.verbs.compress import compress_run

    compress_run(run, overrides or [], trust=trust, local=local, console=console(), command=_typed())


@app.command()
def serve(
    run: Run,
    port: Annotated[int | None, typer.Option(help="TCP port", show_default=False)] = None,
    host: Annotated[
        str | None, typer.Option(help="address to listen on; loopback unless given", show_default=False)
    ] = None,
    trust: Trust = False,
) -> None:
    """Serve the compressed model of a run over HTTP."""
    from dsray.terminal.console import console
    from dsray.verbs.serve import serve_run

    serve_run(run, host=host, port=port, trust=trust, console=console())


@app.command()
def tune(experiment: ExperimentFile, overrides: Overrides = None, out: Out = None, resume: Resume = False) -> None:
    """Search the space of the file's `tune` section; writes best.yaml, which `dsray run` accepts."""
    from dsray.terminal.console import console
    from dsray.verbs.tune import tune_experiment

    tune_experiment(experiment, overrides or [], out=out, resume=resume, console=console(), command=_typed())


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="run folders", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="HTML file to write", show_default=False)] = None,
) -> None:
    """Table across runs; runs of one experiment with several seeds are one column with an interval."""
    from dsray.terminal.console import console
    from dsray.verbs.compare import compare_runs

    compare_runs(runs, out, console())


@app.command()
def doctor() -> None:
    """What is installed, and what works here."""
    from dsray.terminal.console import console
    from dsray.verbs.doctor import report

    console().print(report())


def main(argv: list[str] | None = None) -> NoReturn:
    """Entry point; the exit status is 0 done, 1 failed while running, 2 wrong request, 130 interrupted."""
    from dsray.base import DsrayError
    from dsray.base.interruption import end_on_sigterm

    end_on_sigterm()
    try:
        code = app(argv, standalone_mode=False) or 0
        code = _interrupted() if code == 130 else int(code)
    except DsrayError as error:
        _say(f"error: {error}")
        code = error.exit_code
    except KeyboardInterrupt:
        code = _interrupted()
    except typer.Exit as error:
        code = error.exit_code
    except Exception as error:  # the last stop: a disk that is full is told, a defect is shown whole
        code = _foreign(error)
    sys.stdout.flush()
    if code in (0, 2):
        sys.exit(code)
    os._exit(code)  # threads and handlers of libraries must not delay or speak after the last line


def _foreign(error: Exception) -> int:
    """Errors of the parser keep its exit status 2, a disk that takes no more is told; what is left is a defect."""
    show = getattr(error, "show", None)
    if show is not None:
        show()
        return int(getattr(error, "exit_code", 2))
    if type(error).__name__ == "Abort":
        return _interrupted()
    from dsray.base.disk import REMEDIES, in_words, refusal

    if (found := refusal(error)) is not None:
        _say(f"error: {in_words(found, 'disk')}; {REMEDIES[found.errno or 0]}, and try again")
        return 1
    import traceback

    traceback.print_exception(error)
    return 1


def _interrupted() -> int:
    at_work = sys.modules.get("dsray.runner.writer")  # not imported yet: nothing was begun
    line = at_work.going_on() if at_work else None
    _say(f"interrupted; go on with: {line}" if line else "interrupted")
    return 130


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _typed() -> list[str]:
    """The command as typed, with the program's short name."""
    name = Path(sys.argv[0]).name
    program = ["python", "-m", "dsray"] if name in ("__main__.py", "cli.py") else [name]
    return [*program, *sys.argv[1:]]


if __name__ == "__main__":
    main()

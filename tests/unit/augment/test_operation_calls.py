"""An operation that is made otherwise is told in one sentence, before anything is trained."""

from __future__ import annotations

from typing import Literal

import pytest

from dsray.augment.operation import OperationConfig
from dsray.base import RequestError
from dsray.data import prepare
from dsray.experiment import Experiment
from dsray.runner.checks import check_experiment


class BeforeConfig(OperationConfig):
    """Wrong: it is told no tensors, as those of version 0.1 were not."""

    kind: Literal["test_operation_calls:BeforeConfig"] = "test_operation_calls:BeforeConfig"

    def make(self):
        return lambda columns, key: columns


def test_an_operation_that_takes_no_tensors_is_told_what_it_is_called_with():
    operations = [{"kind": "gaussian_noise", "sigma": 0.1}, BeforeConfig()]
    experiment = Experiment.parse({"data": {"source": "digits"}, "model": {}, "augment": {"operations": operations}})
    with pytest.raises(
        RequestError, match=r"^augment\.operations\.1: make of BeforeConfig takes \(\).*called with \(tensors\)"
    ):
        check_experiment(experiment, prepare(experiment.data))

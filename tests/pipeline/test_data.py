"""The data stage."""

import pytest

from ml.jobs import data as data_sets
from ops.outputs import MissingOutputs
from pipeline import data


def test_without_a_foundation_nothing_is_downloaded(moto_aws, dev, monkeypatch):
    monkeypatch.setattr(data_sets, "fetch", lambda *_: pytest.fail("it downloads"))
    with pytest.raises(MissingOutputs, match=r"run \./inv apply --stack foundation --env dev"):
        data.run(dev, "dogs")

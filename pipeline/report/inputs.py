"""What the report is made from: everything that AWS has about the data, the search and the models of an environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ml.jobs.data import Manifest
from ml.jobs.registry import Version
from ml.jobs.search import SearchResult
from ml.jobs.trials import Trial
from ops.live_endpoint import LiveEndpoint
from ops.outputs import Serving
from ops.settings import Settings
from pipeline.report.comparison import Row
from pipeline.report.documents import Epoch, Evaluation, Problems
from pipeline.report.thumbnails import Thumbnails
from pipeline.stage_times import StageTime


@dataclass(frozen=True)
class Model:
    """A registered version with what its training job left.

    hyperparameters: of the training program, as text; empty if AWS no longer has the job.
    image: URI of the container image of the training; empty if it ran in none.
    remarks: sentences about documents that could not be read.
    """

    version: Version
    evaluation: Evaluation | None = None
    history: Sequence[Epoch] = ()
    hyperparameters: dict[str, str] = field(default_factory=dict)
    image: str = ""
    remarks: Sequence[str] = ()

    @property
    def name(self) -> str:
        """The version, for people."""
        return f"version {self.version.number}"

    @property
    def dataset(self) -> str:
        """The data set that it was trained on; empty if it is not known."""
        return self.version.lineage.get("dataset", "")


@dataclass(frozen=True)
class Search:
    """The search of the current data and network.

    trials: its trials, with the repeated ones, the best first.
    start, end: of the tuning job; None if AWS no longer has it.
    """

    result: SearchResult
    trials: Sequence[Trial] = ()
    start: datetime | None = None
    end: datetime | None = None

    @property
    def usd(self) -> float | None:
        """What trials and features cost; None if no price is known."""
        features = self.result.features
        paid = features.usd if features and not features.reused else None
        known = [usd for usd in (paid, *(trial.usd for trial in self.trials)) if usd is not None]
        return sum(known) if known else None


@dataclass(frozen=True)
class Endpoint:
    """An endpoint: what its stack says, and what SageMaker says."""

    outputs: Serving
    live: LiveEndpoint | None


@dataclass(frozen=True)
class Inputs:
    """Everything that the sections of the page read.

    uploaded: when the current data set was uploaded.
    no_problems: why there is no list of problems, as a sentence; empty if there is one.
    no_search: why there is no search, as a sentence; empty if there is one.
    models: the newest versions, newest first.
    chosen: the version that the page is about; None if there is none.
    compared: the two versions whose classes are compared, the older one first; None without two.
    times: how long the stages of `./inv up` took when they last did something.
    launchers: what the training of the current data cost, by launcher and machine.
    """

    settings: Settings
    made: datetime
    manifest: Manifest
    thumbnails: Thumbnails
    uploaded: datetime | None = None
    problems: Problems | None = None
    no_problems: str = ""
    search: Search | None = None
    no_search: str = ""
    models: Sequence[Model] = ()
    chosen: Model | None = None
    compared: tuple[Model, Model] | None = None
    endpoints: Sequence[Endpoint] = ()
    times: dict[str, StageTime] = field(default_factory=dict)
    launchers: Sequence[Row] = ()

    def command(self, task: str) -> str:
        """Return a command for the environment, such as `./inv train --env dev`."""
        name, _, options = task.partition(" ")
        return f"./inv {name}{self.settings.flag}{f' {options}' if options else ''}"

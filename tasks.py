"""The task collection of `./inv`."""

from invoke.collection import Collection

from cli import (
    bench,
    check,
    doctor,
    ec2,
    faults,
    local,
    pipeline,
    policies,
    repository,
    steps,
    terraform,
    unlock,
    workbench,
)

namespace = Collection(
    pipeline.demo,
    pipeline.up,
    pipeline.down,
    pipeline.status,
    steps.data,
    steps.tune,
    steps.train,
    steps.models,
    steps.report,
    steps.deploy,
    steps.rollback,
    steps.predict,
    terraform.plan,
    terraform.apply,
    terraform.destroy,
    unlock.unlock,
    check.check,
    policies.policies,
    doctor.doctor,
    repository.test,
    faults.faults,
    bench.bench,
    ec2,
    workbench,
    local,
)

"""EC2's operations on instances: moto's responses, corrected for instances that run."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.serialize import return_if_not_empty
from moto.core.types import Base64EncodedString
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.responses import EC2Response
from moto.ec2.utils import parse_user_data
from moto.iam.models import iam_backends

from embedded_aws.services.ec2 import spot, user_data
from embedded_aws.services.ec2.instances import EmbeddedInstance
from embedded_aws.services.ec2.service import InstanceService


class EmbeddedEC2Response(EC2Response):
    """moto's responses, with ours in front."""

    RESPONSE_KEY_PATH_TO_TRANSFORMER = {  # noqa: RUF012
        **EC2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER,
        # moto returns an empty association for an interface without a public address.
        "InstanceNetworkInterface.Association": return_if_not_empty,
    }

    def run_instances(self) -> ActionResult:
        """Check what moto does not check, let moto record the instances, and boot them."""
        if encoded := parse_user_data(self._get_param("UserData")) or self._template().get("UserData"):
            user_data.scripts(str(encoded))
        spot_options = self._get_param("InstanceMarketOptions.SpotOptions", {})
        if spot_options.get("SpotInstanceType") == "persistent":
            raise NotImplementedError("persistent Spot requests: use a one-time request")
        if image := self._get_param("ImageId"):
            self.ec2_backend.describe_images(ami_ids=[image])
        kind = self._get_param("InstanceType")
        if kind and kind not in INSTANCE_TYPES:
            raise EC2ClientError("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
        self._check_profile()
        response = super().run_instances()
        instances: list[EmbeddedInstance] = response._result.instances  # type: ignore[attr-defined]
        profile = {
            "iam_instance_profile_name": self._get_param("IamInstanceProfile.Name"),
            "iam_instance_profile_arn": self._get_param("IamInstanceProfile.Arn"),
        }
        disks = {m.get("DeviceName"): m.get("Ebs", {}) for m in self._get_param("BlockDeviceMappings", [])}
        for instance in instances:
            self._record_performance(instance, disks)
            if (
                any(profile.values()) and instance.profile() is None
            ):  # moto associates it with the first one only
                self.ec2_backend.associate_iam_instance_profile(instance_id=instance.id, **profile)
            if instance.spot:
                spot.request_for(instance, spot_options)
            self._service.launch(instance)
        return response

    @property
    def _service(self) -> InstanceService:
        backend: Any = self.ec2_backend
        return backend.runtime.get(InstanceService)  # type: ignore[no-any-return]

    def _record_performance(self, instance: EmbeddedInstance, disks: dict[str, dict[str, Any]]) -> None:
        """Record IOPS and throughput of gp3 volumes, requested or default; moto keeps neither."""
        for device, block in instance.block_device_mapping.items():
            volume = self.ec2_backend.volumes[block.volume_id]
            if volume.volume_type == "gp3":
                volume.iops = disks.get(device, {}).get("Iops", 3000)
                volume.throughput = disks.get(device, {}).get("Throughput", 125)

    def _check_profile(self) -> None:
        """Raise AWS's error for a missing instance profile. Terraform recognizes its text and retries."""
        profiles = iam_backends[self.current_account][self.partition].get_instance_profiles()
        for member, known in (("Name", {p.name for p in profiles}), ("Arn", {p.arn for p in profiles})):
            wanted = self._get_param(f"IamInstanceProfile.{member}")
            if wanted and wanted not in known:
                raise EC2ClientError(
                    "InvalidParameterValue",
                    f"Value ({wanted}) for parameter iamInstanceProfile.{member.lower()} is invalid. "
                    f"Invalid IAM Instance Profile {member if member == 'Arn' else 'name'}",
                )

    def _template(self) -> dict[str, Any]:
        """Return the data of the launch template that the request names, if any."""
        wanted = self._get_param("LaunchTemplate", {})
        return self.ec2_backend._get_template_from_args(wanted).data if wanted else {}

    def start_instances(self) -> ActionResult:
        return self._correct_states(super().start_instances(), "StartingInstances")

    def stop_instances(self) -> ActionResult:
        return self._correct_states(super().stop_instances(), "StoppingInstances")

    def terminate_instances(self) -> ActionResult:
        return self._correct_states(super().terminate_instances(), "TerminatingInstances")

    def _correct_states(self, response: ActionResult, key: str) -> ActionResult:
        """Put the actual states into a response: moto assumes that every instance has changed."""
        for change in response._result[key]:  # type: ignore[index]
            instance = self.ec2_backend.get_instance(change["InstanceId"])
            if instance.hosted:
                change["CurrentState"] = {"Code": instance.state_code, "Name": instance.state}
        return response

    def modify_instance_attribute(self) -> ActionResult:
        behavior = self._get_param("InstanceInitiatedShutdownBehavior.Value")
        if behavior is None:
            return super().modify_instance_attribute()
        self.error_on_dryrun()
        self.ec2_backend.modify_instance_attribute(
            self._get_param("InstanceId"), "instance_initiated_shutdown_behavior", behavior
        )
        return EmptyResult()

    def get_console_output(self) -> ActionResult:
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        text = self._service.console(instance).decode(errors="replace")
        return ActionResult(
            {
                "InstanceId": instance.id,
                "Timestamp": utcnow(),
                "Output": Base64EncodedString.from_raw_string(text),
            }
        )

    def monitor_instances(self) -> ActionResult:  # type: ignore[override]
        return self._monitoring("enabled")

    def unmonitor_instances(self) -> ActionResult:  # type: ignore[override]
        return self._monitoring("disabled")

    def _monitoring(self, state: str) -> ActionResult:
        self.error_on_dryrun()
        instances = self.ec2_backend.get_multi_instances_by_id(self._get_param("InstanceIds", []))
        for instance in instances:
            instance.monitoring_state = state
        monitorings: list[dict[str, Any]] = [
            {"InstanceId": instance.id, "Monitoring": {"State": state}} for instance in instances
        ]
        return ActionResult({"InstanceMonitorings": monitorings})

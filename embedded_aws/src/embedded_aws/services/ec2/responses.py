"""EC2's operations on instances: moto's, where its own would not match what runs."""

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
from embedded_aws.services.ec2.backend import EmbeddedInstance
from embedded_aws.services.ec2.service import current


class EmbeddedEC2Response(EC2Response):
    """moto's responses, with ours in front."""

    RESPONSE_KEY_PATH_TO_TRANSFORMER = {  # noqa: RUF012
        **EC2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER,
        # An interface without a public address has none; an empty one reads as if it had.
        "InstanceNetworkInterface.Association": return_if_not_empty,
    }

    def run_instances(self) -> ActionResult:
        """Checks what moto takes as it comes, then boots what moto has recorded."""
        if encoded := parse_user_data(self._get_param("UserData")) or self._template().get("UserData"):
            user_data.scripts(str(encoded))
        spot_options = self._get_param("InstanceMarketOptions.SpotOptions", {})
        if spot_options.get("SpotInstanceType") == "persistent":
            raise NotImplementedError("persistent Spot requests; a one-time request works")
        if image := self._get_param("ImageId"):
            self.ec2_backend.describe_images(ami_ids=[image])
        kind = self._get_param("InstanceType")
        if kind and kind not in INSTANCE_TYPES:
            raise EC2ClientError("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
        self._check_profile()
        answer = super().run_instances()
        instances: list[EmbeddedInstance] = answer._result.instances  # type: ignore[attr-defined]
        profile = {
            "iam_instance_profile_name": self._get_param("IamInstanceProfile.Name"),
            "iam_instance_profile_arn": self._get_param("IamInstanceProfile.Arn"),
        }
        disks = {m.get("DeviceName"): m.get("Ebs", {}) for m in self._get_param("BlockDeviceMappings", [])}
        for instance in instances:
            self._keep_speed(instance, disks)
            if any(profile.values()) and instance.profile() is None:  # moto gives it to the first alone
                self.ec2_backend.associate_iam_instance_profile(instance_id=instance.id, **profile)
            if instance.spot:
                spot.request_for(instance, spot_options)
            current().launch(instance)
        return answer

    def _keep_speed(self, instance: EmbeddedInstance, disks: dict[str, dict[str, Any]]) -> None:
        """Record what its gp3 volumes were asked to do, or what they do unasked; moto forgets both."""
        for device, block in instance.block_device_mapping.items():
            volume = self.ec2_backend.volumes[block.volume_id]
            if volume.volume_type == "gp3":
                volume.iops = disks.get(device, {}).get("Iops", 3000)
                volume.throughput = disks.get(device, {}).get("Throughput", 125)

    def _check_profile(self) -> None:
        """Raises AWS's error for a profile that does not exist: Terraform waits and asks again at that text."""
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
        """The launch template's data, if the request names one."""
        wanted = self._get_param("LaunchTemplate", {})
        return self.ec2_backend._get_template_from_args(wanted).data if wanted else {}

    def start_instances(self) -> ActionResult:
        return self._true_states(super().start_instances(), "StartingInstances")

    def stop_instances(self) -> ActionResult:
        return self._true_states(super().stop_instances(), "StoppingInstances")

    def terminate_instances(self) -> ActionResult:
        return self._true_states(super().terminate_instances(), "TerminatingInstances")

    def _true_states(self, answer: ActionResult, key: str) -> ActionResult:
        """moto answers as if every instance had changed."""
        for change in answer._result[key]:  # type: ignore[index]
            instance = self.ec2_backend.get_instance(change["InstanceId"])
            if instance.hosted:
                change["CurrentState"] = {"Code": instance.state_code, "Name": instance.state}
        return answer

    def modify_instance_attribute(self) -> ActionResult:
        behaviour = self._get_param("InstanceInitiatedShutdownBehavior.Value")
        if behaviour is None:
            return super().modify_instance_attribute()
        self.error_on_dryrun()
        self.ec2_backend.modify_instance_attribute(
            self._get_param("InstanceId"), "instance_initiated_shutdown_behavior", behaviour
        )
        return EmptyResult()

    def get_console_output(self) -> ActionResult:
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        text = current().console(instance).decode(errors="replace")
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

"""Records of Studio: domains, user profiles, spaces and lifecycle configurations."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import Any

from moto.ec2.models import ec2_backends
from moto.efs.models import efs_backends
from moto.sagemaker.exceptions import ResourceInUseException, ResourceNotFound, ValidationError

from embedded_aws.services.sagemaker.tags import TagStore

OWNER_TAG = "ManagedByAmazonSageMakerResource"  # of a domain's file system and security groups
NFS = "2049"  # port


class StudioBackend(TagStore):
    """Domains by id; user profiles and spaces by domain id and name; lifecycle configurations by name."""

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.studio_domains: dict[str, dict[str, Any]] = {}
        self.user_profiles: dict[tuple[str, str], dict[str, Any]] = {}
        self.spaces: dict[tuple[str, str], dict[str, Any]] = {}
        self.studio_configs: dict[str, dict[str, Any]] = {}

    def domain(self, identity: str) -> dict[str, Any]:
        """Return the record of a domain. Raises ResourceNotFound."""
        return _found(self.studio_domains, identity, f"Domain [{identity}]")

    def user_profile(self, domain: str, name: str) -> dict[str, Any]:
        """Return the record of a user profile. Raises ResourceNotFound."""
        return _found(self.user_profiles, (domain, name), f"UserProfile [{name}]")

    def space(self, domain: str, name: str) -> dict[str, Any]:
        """Return the record of a space. Raises ResourceNotFound."""
        return _found(self.spaces, (domain, name), f"Space [{name}]")

    def studio_config(self, name: str) -> dict[str, Any]:
        """Return the record of a lifecycle configuration. Raises ResourceNotFound."""
        return _found(self.studio_configs, name, f"StudioLifecycleConfig [{name}]")

    def create_studio_domain(self, request: dict[str, Any]) -> dict[str, Any]:
        """Create a domain with an EFS file system and its security groups. Return the record."""
        tags, name = request.pop("Tags", None), request["DomainName"]
        if any(domain["DomainName"] == name for domain in self.studio_domains.values()):
            raise ValidationError(message=f"Domain with name [{name}] already exists in this account.")
        identity = f"d-{uuid.uuid4().hex[:12]}"
        arn = self.resource_arn("domain", identity)
        self.keep_tags(arn, tags)
        system = efs_backends[self.account_id][self.region_name].create_file_system(
            creation_token=identity,
            performance_mode="generalPurpose",
            encrypted=True,
            kms_key_id=request.get("KmsKeyId", ""),
            throughput_mode="bursting",
            provisioned_throughput_in_mibps=0,
            availability_zone_name="",
            backup=False,
            tags=[{"Key": OWNER_TAG, "Value": arn}],
        )
        self._create_security_groups(identity, arn, request["VpcId"])
        self.studio_domains[identity] = {
            "AppNetworkAccessType": "PublicInternetOnly",
            "TagPropagation": "DISABLED",
            **request,
            **_new(),
            "DomainArn": arn,
            "DomainId": identity,
            "HomeEfsFileSystemId": system.file_system_id,
            "Url": f"https://{identity}.studio.{self.region_name}.sagemaker.aws",
        }
        return self.studio_domains[identity]

    def update_studio_domain(self, request: dict[str, Any]) -> dict[str, Any]:
        """Update a domain. Return the record."""
        return update(self.domain(request["DomainId"]), request)

    def delete_studio_domain(self, identity: str, retention: dict[str, str]) -> None:
        """Delete a domain, and its file system if the policy says so. Its security groups stay, as on AWS."""
        domain = self.domain(identity)
        inside = [
            name
            for kind in (self.user_profiles, self.spaces)
            for domain_id, name in kind
            if domain_id == identity
        ]
        if inside:
            raise ResourceInUseException(
                message=f"Unable to delete Domain {domain['DomainArn']} because it still has {', '.join(inside)}."
            )
        if retention.get("HomeEfsFileSystem", "Retain") == "Delete":
            efs_backends[self.account_id][self.region_name].delete_file_system(domain["HomeEfsFileSystemId"])
        del self.studio_domains[identity]
        self.forget_tags(domain["DomainArn"])

    def _create_security_groups(self, identity: str, arn: str, vpc: str) -> None:
        """Create two security groups that allow NFS traffic to each other, if the VPC exists here."""
        ec2 = ec2_backends[self.account_id][self.region_name]
        if vpc not in ec2.vpcs:
            return
        inbound, outbound = (
            ec2.create_security_group(
                f"security-group-for-{way}-nfs-{identity}",
                f"Security group for {way} NFS traffic of Studio",
                vpc_id=vpc,
                tags={OWNER_TAG: arn},
            )
            for way in ("inbound", "outbound")
        )
        outbound.egress_rules.clear()
        ec2.authorize_security_group_ingress(
            inbound.id, "tcp", NFS, NFS, [], source_groups=[{"GroupId": outbound.id}]
        )
        ec2.authorize_security_group_egress(
            outbound.id, "tcp", NFS, NFS, [], source_groups=[{"GroupId": inbound.id}]
        )
        self.runtime.changed("ec2", self.region_name)

    def create_in_domain(self, kind: str, request: dict[str, Any]) -> str:
        """Create a UserProfile or a Space in a domain. Return its ARN."""
        tags, name, domain = request.pop("Tags", None), request[f"{kind}Name"], request["DomainId"]
        self.domain(domain)
        store, path = (
            (self.user_profiles, "user-profile") if kind == "UserProfile" else (self.spaces, "space")
        )
        arn = self.resource_arn(path, f"{domain}/{name}")
        if (domain, name) in store:
            raise ResourceInUseException(message=f"{kind} {arn} already exists.")
        if owner := request.get("OwnershipSettings", {}).get("OwnerUserProfileName"):
            self.user_profile(domain, owner)
        self.keep_tags(arn, tags)
        store[domain, name] = {**request, **_new(), f"{kind}Arn": arn}
        return arn

    def delete_user_profile_record(self, domain: str, name: str) -> None:
        arn = self.user_profile(domain, name)["UserProfileArn"]
        owned = [
            space["SpaceName"]
            for (space_domain, _), space in self.spaces.items()
            if space_domain == domain
            and space.get("OwnershipSettings", {}).get("OwnerUserProfileName") == name
        ]
        if owned:
            raise ResourceInUseException(
                message=f"UserProfile {arn} owns {', '.join(owned)}: delete these first."
            )
        del self.user_profiles[domain, name]
        self.forget_tags(arn)

    def delete_space_record(self, domain: str, name: str) -> None:
        self.forget_tags(self.space(domain, name)["SpaceArn"])
        del self.spaces[domain, name]

    def create_studio_config(self, request: dict[str, Any]) -> str:
        """Create a lifecycle configuration. Return its ARN."""
        tags, name = request.pop("Tags", None), request["StudioLifecycleConfigName"]
        arn = self.resource_arn("studio-lifecycle-config", name)
        if name in self.studio_configs:
            raise ResourceInUseException(message=f"StudioLifecycleConfig {arn} already exists.")
        self.keep_tags(arn, tags)
        self.studio_configs[name] = {**request, **_new(), "StudioLifecycleConfigArn": arn}
        return arn

    def delete_studio_config_record(self, name: str) -> None:
        """Delete a lifecycle configuration. Raises ResourceInUse while the settings of a domain or user profile name it."""
        arn = self.studio_config(name)["StudioLifecycleConfigArn"]
        holders = [
            *(
                d["DomainArn"]
                for d in self.studio_domains.values()
                if _mentions(d.get("DefaultUserSettings"), arn)
            ),
            *(
                p["UserProfileArn"]
                for p in self.user_profiles.values()
                if _mentions(p.get("UserSettings"), arn)
            ),
        ]
        if holders:
            raise ResourceInUseException(
                message=f"StudioLifecycleConfig {arn} is still in the settings of {', '.join(holders)}."
            )
        self.forget_tags(arn)
        del self.studio_configs[name]


def _new() -> dict[str, Any]:
    now = datetime.now(timezone.utc)
    return {"Status": "InService", "CreationTime": now, "LastModifiedTime": now}


def update(record: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Merge a request into a record: members of each settings structure are replaced one by one."""
    for key, value in request.items():
        record[key] = {**record[key], **value} if isinstance(record.get(key), dict) else value
    record["LastModifiedTime"] = datetime.now(timezone.utc)
    return record


def _mentions(settings: Any, arn: str) -> bool:
    """Return whether an ARN occurs anywhere in settings."""
    if isinstance(settings, dict):
        return any(_mentions(value, arn) for value in settings.values())
    return any(_mentions(value, arn) for value in settings) if isinstance(settings, list) else settings == arn


def _found(store: dict[Any, dict[str, Any]], key: Any, resource: str) -> dict[str, Any]:
    if key not in store:
        raise ResourceNotFound(message=f"{resource} does not exist.")
    return store[key]

"""How resources of IAM are found."""

from __future__ import annotations

from ops.aws import tag_dict
from ops.terraform.adoption.rules import Account, ByName, Found, Recreated, Rule, Values, ask


def _role(account: Account, values: Values) -> Found | None:
    reply = ask(account.client("iam").get_role, "NoSuchEntity", RoleName=values["name"])
    return reply and Found(values["name"], tags=tag_dict(reply["Role"].get("Tags")))


def _instance_profile(account: Account, values: Values) -> Found | None:
    name = values["name"]
    reply = ask(account.client("iam").get_instance_profile, "NoSuchEntity", InstanceProfileName=name)
    return reply and Found(name, tags=tag_dict(reply["InstanceProfile"].get("Tags")))


def _policy(account: Account, values: Values) -> Found | None:
    arn = account.arn("iam", f"policy{values['path']}{values['name']}", regional=False)
    reply = ask(account.client("iam").get_policy, "NoSuchEntity", PolicyArn=arn)
    return reply and Found(arn, tags=tag_dict(reply["Policy"].get("Tags")))


def _identity_provider(account: Account, values: Values) -> Found | None:
    host = values["url"].removeprefix("https://")
    arn = account.arn("iam", f"oidc-provider/{host}", regional=False)
    reply = ask(
        account.client("iam").get_open_id_connect_provider, "NoSuchEntity", OpenIDConnectProviderArn=arn
    )
    return reply and Found(arn, tags=tag_dict(reply.get("Tags")))


RULES: dict[str, Rule] = {
    "aws_iam_instance_profile": ByName(_instance_profile),
    "aws_iam_openid_connect_provider": ByName(
        _identity_provider,
        hint="An account has one for each host, so set access.create_identity_provider = false",
    ),
    "aws_iam_policy": ByName(_policy),
    "aws_iam_role": ByName(_role),
    "aws_iam_role_policy": Recreated("PutRolePolicy replaces the policy of that name in the role"),
    "aws_iam_role_policy_attachment": Recreated("AttachRolePolicy changes nothing if the policy is attached"),
}

"""Who may assume a role."""

from moto.sts.models import sts_backends

from local_aws import ACCOUNT_ID


def assume_for_service(role_arn: str, service: str, region: str, session_name: str) -> dict[str, str]:
    """Credentials of a role for one of AWS's services."""
    session = sts_backends[ACCOUNT_ID]["aws"].assume_role(region, session_name, role_arn, "", 3600, "")
    return {
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
    }

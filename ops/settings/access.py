"""Access of operators and of GitHub Actions to an environment."""

from __future__ import annotations

from pydantic import Field, model_validator

from ops.settings.section import Section


class AccessSettings(Section):
    """Roles that stack access creates for GitHub Actions."""

    github_repository: str = Field(
        "",
        pattern=r"^([A-Za-z0-9-]+/[A-Za-z0-9._-]+)?$",
        description="Repository, as owner/name, whose workflows may assume the roles. Empty: no roles for GitHub.",
    )
    github_environment: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]*$",
        description="Protected GitHub environment whose workflows may apply. Required with github_repository.",
    )
    create_identity_provider: bool = Field(
        True,
        description="Create GitHub's OIDC identity provider. Set to false if the account already has it.",
    )

    @model_validator(mode="after")
    def _check_environment_is_named(self) -> AccessSettings:
        if self.github_repository and not self.github_environment:
            raise ValueError(
                f"github_environment is missing: name the protected environment of {self.github_repository} that "
                "may apply"
            )
        return self

"""Systems Manager records: the public parameters that name the latest Deep Learning AMIs."""

from __future__ import annotations

from moto.ssm import urls
from moto.ssm.models import Parameter, ParameterDict, SimpleSystemManagerBackend

from embedded_aws.services.ec2.images import IMAGES, PREFIX, RELEASED_AT, Image


class EmbeddedParameterDict(ParameterDict):
    """moto's parameters and those of the Deep Learning AMIs, loaded on first use."""

    def _check_loading_status(self, key: str) -> None:
        super()._check_loading_status(key)
        if str(key or "").startswith(PREFIX) and not dict.__contains__(self, IMAGES[0].parameter):
            for image in IMAGES:
                dict.__setitem__(self, image.parameter, [self._parameter(image)])

    def _parameter(self, image: Image) -> Parameter:
        return Parameter(  # type: ignore[abstract]
            account_id=self.account_id,
            name=image.parameter,
            value=image.id(self.region_name),
            parameter_type="String",
            description=None,
            allowed_pattern=None,
            keyid=None,
            last_modified_date=RELEASED_AT,
            version=1,
            data_type="aws:ec2:image",
        )


class EmbeddedSystemsManagerBackend(SimpleSystemManagerBackend):
    """moto's backend with the public parameters of the embedded AWS."""

    _url_module = urls

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._parameters = EmbeddedParameterDict(account_id, region_name)

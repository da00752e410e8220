"""Parses the input of an operation as strictly as AWS: moto's parsers, which convert any type, with type checks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.core import parse
from moto.core.parse import RequestParserError

_JSON_TYPES = {dict: "Start of structure or map", list: "Start of list"}
_VALUES = {str: "STRING_VALUE", bool: "TRUE_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE"}


class UnknownParameter(Exception):
    """A parameter that the operation does not have, in a protocol that refuses those."""


class BadArgument(Exception):
    """A query parameter or header that has another type than the model's."""


class _TypedJson(parse.BaseJSONParser):
    """Refuses JSON values of another type than the model's. Values of headers and URLs are texts."""

    _from_body = True

    def _parse_body_as_json(self, body_contents: bytes) -> Any:
        if not body_contents:
            return {}
        try:
            return json.loads(body_contents)
        except ValueError as error:
            raise RequestParserError(f"the body is not JSON: {error}") from None

    def _parse_shape(self, shape: Any, node: Any) -> Any:
        if self._from_body and node is not None and not shape.metadata.get("jsonvalue"):
            _check_type(shape, node)
        return super()._parse_shape(shape, node)

    def _parse_non_payload_attrs(self, *arguments: Any) -> None:
        self._from_body = False
        super()._parse_non_payload_attrs(*arguments)  # type: ignore[misc]
        self._from_body = True


_WHOLE = ("integer", "long", "short", "byte")
_ACCEPTED: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "character": (str,),
    "blob": (str,),
    "boolean": (bool,),
    **dict.fromkeys(_WHOLE, (int, float)),
    **dict.fromkeys(("float", "double"), (int, float, str)),  # texts such as NaN
    "timestamp": (int, float, str),
}


def _check_type(shape: Any, node: Any) -> None:
    kind = shape.type_name
    if kind == "structure" and shape.is_document_type:
        return
    fits = isinstance(node, _ACCEPTED[kind]) and (kind == "boolean" or not isinstance(node, bool))
    whole = not isinstance(node, float) or node.is_integer() or kind not in _WHOLE
    if fits and whole:
        return
    if isinstance(node, (dict, list)):
        raise RequestParserError(f"{_JSON_TYPES[type(node)]} found where not expected")
    raise RequestParserError(f"{_VALUES[type(node)]} can not be converted to {kind.title()}")


class _Json(_TypedJson, parse.JSONParser):
    pass


class _RestJson(_TypedJson, parse.RestJSONParser):
    pass


class _Ec2(parse.EC2QueryParser):
    """Refuses unknown parameters, as EC2 does."""

    def _do_parse(self, request_dict: Any, shape: Any) -> Any:
        self._read: set[str] = set()
        parsed = super()._do_parse(request_dict, shape)
        unknown = sorted(set(request_dict["values"]) - self._read - {"Action", "Version"})
        unknown = [name for name in unknown if not name.startswith("X-Amz-")]
        if unknown:
            raise UnknownParameter(f"The parameter {unknown[0].partition('.')[0]} is not recognized")
        return parsed

    def _default_handle(self, shape: Any, value: Any, prefix: str = "") -> Any:
        self._read.add(prefix)
        return super()._default_handle(shape, value, prefix)


class _RestXml(parse.RestXMLParser):
    """Refuses unknown elements, as S3 does."""

    def _parse_non_payload_attrs(self, *arguments: Any) -> None:
        try:
            super()._parse_non_payload_attrs(*arguments)
        except ValueError as error:
            raise BadArgument(f"Provided argument not an integer or within integer range: {error}") from None

    def _parse_structure(self, shape: Any, node: Any) -> Any:
        if isinstance(node, list):
            raise RequestParserError(f"{self._node_tag(node[0])} occurs more than once")
        known = {
            self._member_key_name(m, name)
            for name, m in shape.members.items()
            if "location" not in m.serialization
        }
        for name in self._build_name_to_xml_node(node):
            if name not in known:
                raise RequestParserError(f"unknown element {name}")
        return super()._parse_structure(shape, node)


PARSERS: Mapping[str, Any] = {
    **parse.PROTOCOL_PARSERS,
    "json": _Json,
    "rest-json": _RestJson,
    "ec2": _Ec2,
    "rest-xml": _RestXml,
}

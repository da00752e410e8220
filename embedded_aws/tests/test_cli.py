"""The command `embedded-aws`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from embedded_aws import client
from embedded_aws.cli import main
from embedded_aws.extras import MODULES, missing


@pytest.mark.parametrize("command", ["up", "down", "status", "env", "interrupt", "serve"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: embedded-aws {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["up", "--port", "0"], "0 is not a port: use a number from 1 to 65535"),
        (["up", "--time-scale", "-1"], "-1 is not a time scale: use a positive number"),
        (["serve"], "the following arguments are required: --port"),
    ],
)
def test_invalid_options_are_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("words", [["env"], ["interrupt", "job"]])
def test_errors_are_one_sentence_that_names_the_next_command(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--home", str(tmp_path)])
    assert ended.value.code == (
        f"embedded-aws: No embedded AWS runs in {tmp_path}: run embedded-aws up --home {tmp_path}."
    )


def test_status_and_down_without_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = str(tmp_path / "home")
    main(["status", "--home", home, "--json"])
    assert json.loads(capsys.readouterr().out)["running"] is False
    main(["down", "--home", home])
    assert capsys.readouterr().out == "The embedded AWS was not running.\n"
    assert not Path(home).exists()

    main(["down", "--home", str(tmp_path)])
    assert f"Its state stays in {tmp_path}." in capsys.readouterr().out


def test_commands_find_a_running_server(
    embedded_aws, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = str(embedded_aws.home)
    main(["up", "--home", home])
    printed = capsys.readouterr().out
    assert embedded_aws.endpoint_url in printed
    assert f'eval "$(embedded-aws env --home {home})"' in printed

    main(["up", "--home", home, "--json"])
    assert json.loads(capsys.readouterr().out)["port"] == embedded_aws.port

    main(["status", "--home", home])
    assert f"running at {embedded_aws.endpoint_url} since" in capsys.readouterr().out

    monkeypatch.setenv("AWS_PROFILE", "mine")  # it would select credentials and fail, as no file is read
    main(["env", "--home", home, "--region", "eu-west-1"])
    expected = client.variables(embedded_aws.home, "eu-west-1")
    unset, *exports = capsys.readouterr().out.splitlines()
    assert unset == "unset AWS_PROFILE"
    assert dict(line.removeprefix("export ").split("=", 1) for line in exports) == expected

    with pytest.raises(SystemExit, match="There is no training job nobody in us-east-1"):
        main(["interrupt", "nobody", "--home", home, "--region", "us-east-1"])


def test_a_missing_extra_is_reported_with_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [missing(extra) for extra in MODULES] == [None, None]
    monkeypatch.setitem(MODULES, "notebooks", ("jupyterlab", "no_such_module"))
    assert missing("notebooks") == (
        "The embedded AWS needs no_such_module for this. Run: pip install 'embedded-aws[notebooks]', then start it "
        "again."
    )

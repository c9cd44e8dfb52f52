"""Fault plans: what the page documents loads, what cannot be is refused by file and key."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from simulator.faults.plan import (
    AdcStuck,
    BranchFault,
    DeadColumn,
    DeadRow,
    FaultPlan,
    PlanError,
    PowerCycle,
    ReplyFault,
    TemperatureStep,
    load_plan,
)
from simulator.preset import Shape

SHAPE = Shape(rows=3, columns=5, branches=2)
PAGE = Path(__file__).parents[3] / "docs" / "faults.md"
MODELS = (
    *get_args(BranchFault),
    *get_args(ReplyFault),
    DeadRow,
    DeadColumn,
    AdcStuck,
    TemperatureStep,
    PowerCycle,
)
KINDS = [kind for model in MODELS for kind in get_args(model.model_fields["kind"].annotation)]


def load(folder, text):
    path = folder / "plan.toml"
    path.write_text(text, "utf-8")
    return load_plan(path, SHAPE, 24)


def one(text):
    return "[[fault]]\n" + text.replace("; ", "\n")


def test_the_page_names_every_kind_and_every_key():
    page = PAGE.read_text("utf-8")
    assert len(KINDS) == 17
    for kind in KINDS:
        assert f"`{kind}`" in page
    for model in MODELS:
        for key in model.model_fields:
            assert f"`{key}" in page, key


def test_the_examples_of_the_page_load_and_hold_every_kind(tmp_path):
    examples = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert examples
    met = set()
    for example in examples:
        path = tmp_path / "plan.toml"
        path.write_text(example, "utf-8")
        plan = load_plan(path, Shape(rows=64, columns=32, branches=10), 24)
        met |= {fault.kind for fault in plan.fault}
    assert met == set(KINDS)


def test_an_empty_plan_is_one(tmp_path):
    assert load(tmp_path, "") == FaultPlan()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (one("kind = 'rust'"), "fault 1: .*rust"),
        (one("row = 1"), "fault 1: .*kind"),
        (one("kind = 'open'"), r"fault 1 \(open\): .*say where"),
        (one("kind = 'open'; row = 4"), r"fault 1 \(open\)\.row: at most 3"),
        (one("kind = 'open'; row = 0"), r"fault 1 \(open\)\.row: "),
        (one("kind = 'open'; column = 6"), r"fault 1 \(open\)\.column: at most 5"),
        (one("kind = 'open'; branch = 3"), r"fault 1 \(open\)\.branch: at most 2"),
        (one("kind = 'open'; branch = 1.5"), r"fault 1 \(open\)\.branch: "),
        (one("kind = 'open'; count = 2; fraction = 0.1"), "count and fraction exclude"),
        (one("kind = 'open'; fraction = 1.1"), r"\.fraction: "),
        (one("kind = 'open'; row = 1; at_seconds = 1; at_operation = 1"), "exclude each other"),
        (one("kind = 'open'; row = 1; at_seconds = -1"), r"\.at_seconds: "),
        (one("kind = 'open'; row = 1; at_seconds = nan"), r"\.at_seconds: "),
        (one("kind = 'open'; row = 1; at_seconds = 2; until_seconds = 2"), "until_seconds must"),
        (one("kind = 'open'; row = 1; until_operation = 1"), "until_operation must"),
        (one("kind = 'open'; row = 1; kelvin = 3"), r"fault 1 \(open\)\.kelvin: unknown key"),
        (one("kind = 'drifting'; row = 1"), r"\(drifting\)\.ppm_per_hour: "),
        (one("kind = 'intermittent'; row = 1; mean_closed_seconds = 1"), r"\.mean_open_seconds: "),
        (one("kind = 'dead_row'"), r"\(dead_row\)\.row: "),
        (one("kind = 'dead_row'; row = 4"), r"\(dead_row\)\.row: at most 3"),
        (one("kind = 'dead_row'; row = 1; count = 2"), r"\(dead_row\)\.count: unknown key"),
        (one("kind = 'adc_stuck'; column = 1; code = 8388608"), r"\.code: beyond 24 bits"),
        (one("kind = 'adc_stuck'; column = 1; code = -8388609"), r"\.code: beyond 24 bits"),
        (one("kind = 'power_cycle'"), r"\(power_cycle\): .*say when"),
        (one("kind = 'reply_delayed'"), r"\.delay_seconds: "),
        (one("kind = 'reply_dropped'; probability = 0.0"), r"\.probability: "),
        (
            one("kind = 'reply_dropped'; probability = 0.1; every_operations = 2"),
            "probability and every_operations exclude",
        ),
        (one("kind = 'open'; row = 1") + "\n" + one("kind = 'short'"), r"fault 2 \(short\): "),
        ("seed = -1", "seed: "),
        ("sead = 1", "sead: unknown key"),
        ("fault = 3", "fault: "),
        ("[[fault]\n", "at line 1"),
    ],
)
def test_what_cannot_be_is_refused_by_file_and_key(tmp_path, text, said):
    with pytest.raises(PlanError, match=said) as refusal:
        load(tmp_path, text)
    assert str(refusal.value).startswith(f"{tmp_path / 'plan.toml'}: ")
    assert "\n" not in str(refusal.value)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(PlanError, match=r"absent\.toml: No such file"):
        load_plan(tmp_path / "absent.toml", SHAPE, 24)
    with pytest.raises(PlanError, match=r"[Dd]irectory|denied"):
        load_plan(tmp_path, SHAPE, 24)
    (tmp_path / "plan.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match="not a text file"):
        load_plan(tmp_path / "plan.toml", SHAPE, 24)


def test_one_fault_more_shifts_no_others_stream():
    few = tomllib.loads(one("kind = 'open'; count = 1") + "\n" + one("kind = 'short'; count = 1"))
    many = {"fault": [{"kind": "drifting", "count": 1, "ppm_per_hour": 1}, *few["fault"]]}
    names = FaultPlan.model_validate(few).stream_names()
    assert FaultPlan.model_validate(many).stream_names()[1:] == names
    assert len(set(names)) == 2

"""What a person reads at the end of a run says what its document says, counted from 1."""

import json
import re

from instrument.cli.printed_result import print_result


def test_the_table_says_what_the_document_says(
    ohmsum, calibration_file, tmp_path, monkeypatch, capfd
):
    monkeypatch.setenv("COLUMNS", "1000")  # every row on one line
    command = ("run", "--bench", "sim:8x4", "--matrix", "random", "--out", "kept")
    ended = ohmsum(*command, "--calibration", calibration_file)
    assert ended.status == 0, ended.err
    said = re.sub(r"\s+", " ", ended.out)
    document = json.loads((tmp_path / "kept" / "result.json").read_text("utf-8"))
    validation, program = document["validation"], document["program"]

    outputs = sorted(validation["outputs"], key=lambda one: one["bits"])
    named = re.findall(r"output (\d+) (\d+\.\d\d) bits", said)
    assert named == [(str(one["output"] + 1), f"{one['bits']:.2f}") for one in outputs[:3]]
    assert f"= {validation['bits']:.2f} bits (" in said
    assert f"worst {validation['worst_bits']:.2f} bits of full scale" in said
    assert f"8 × 4 weights, {program['rounds']} rounds" in said
    predicted = document["budget"]["predicted_bits"]
    assert f"{predicted:.2f} bits; alone" in said
    spent = validation["cost_of_a_product"]["bench_seconds"]
    milliseconds = 1e3 * (spent["settling"] + spent["integrating"])
    assert f"here {milliseconds:.3g} ms" in said
    assert "Report: kept/report.html" in said

    # The same of a board on which little works.
    assert "dead" not in said
    document["calibration"]["converters"] |= {"dead_rows": [0, 6], "saturated_columns": [3]}
    document["program"] |= {"lost_outputs": [1, 3], "unreachable": 5}
    print_result(document, as_json=False)
    said = re.sub(r"\s+", " ", capfd.readouterr().out)
    assert "dead rows 1, 7; saturated columns 4 " in said
    assert "LOST outputs 2, 4: a column overloads" in said
    assert "5 weights beyond what their branches reach" in said

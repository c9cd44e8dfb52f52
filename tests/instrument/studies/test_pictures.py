"""The studies' pictures: every axis says what it counts, every curve says what it is."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from calibration.studies import (
    bits_study,
    fixed_size_study,
    gather,
    lueker_study,
    partition_study,
    pruning_study,
)
from instrument.studies import (
    bits_against_resistances,
    nearest_against_subset,
    sizes,
    transition,
    weights_needed,
)

PICTURES = [
    (bits_study, bits_against_resistances),
    (lueker_study, weights_needed),
    (partition_study, transition),
    (fixed_size_study, sizes),
    (pruning_study, nearest_against_subset),
]


def drawn(make, picture):
    study = make(6, 8)
    summary = study.summarize(gather([(chunk, study.measure(1, chunk)) for chunk in study.chunks]))
    figure = Figure()
    picture(figure, summary)
    return figure


@pytest.mark.parametrize(("make", "picture"), PICTURES)
def test_axes_are_named_at_the_left_and_at_the_bottom(make, picture):
    for axes in drawn(make, picture).axes:
        place = axes.get_subplotspec()
        if place.is_last_row():
            assert axes.get_xlabel()
        if place.is_first_col():
            assert axes.get_ylabel()


@pytest.mark.parametrize(("make", "picture"), PICTURES)
def test_the_legend_names_each_curve_once_and_what_is_drawn_lies_within_the_axes(make, picture):
    figure = drawn(make, picture)
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert len(names) == len(set(names)) > 1
    labels = {label for axes in figure.axes for label in axes.get_legend_handles_labels()[1]}
    assert set(names) == labels
    for axes in figure.axes:
        assert len(axes.lines) > 1
        low, high = axes.get_xlim()
        for line in axes.lines:
            x = np.asarray(line.get_xdata(), dtype=float)
            if line.get_transform() == axes.transData:
                assert ((x >= low) & (x <= high)).all()


def test_a_bit_for_each_resistance_is_drawn_over_all_of_them():
    for axes in drawn(bits_study, bits_against_resistances).axes:
        (line,) = [one for one in axes.lines if one.get_linestyle() not in ("-", "None")]
        ends = [min(one.get_xdata()[0] for one in axes.lines), max(axes.lines[0].get_xdata())]
        assert list(line.get_xdata()) == list(line.get_ydata()) == ends
        assert ends[0] < ends[1] == 8

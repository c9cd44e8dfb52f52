"""Measure a board, choose its switches, state its precision: numbers in, numbers out, no I/O.

The rooms, in the order in which `Bench.calibrate` and then `Bench.program` run them; the numbers
are those of the steps in docs/calibration/index.md:

- `branches.choose_settle_time` (1): the settling time, which is the delay of all later readings.
- `converters` (2): the steps and the nonlinearity of the DACs and ADCs, and their offsets.
- `branches` (3): the conductance of every branch with its covariance.
- `converters.measure_ranges` (4): the gains of the amplifiers' ranges, from the known branches.
- `noise` (5): a survey that separates the noise of a reading into its causes.
- `temperature` (6): temperature coefficients and ageing; branches moved to another moment.
- `programming`: targets and scale (7), the loop that programs (9), sentinels (10).
- `transfer` (8): the transfer matrix of a pattern, and the wires, gains and ranges that it shows.
- `budget`: what each cause should contribute to the error of products.

Beside the steps stand `selection`, the subset sums that programming calls and that know no board,
and `studies` of their theory and of the design of resistor values.

Below them, from the ground up: `arrays` (array types), `errors`, `records` (dataclasses of arrays),
`crossbar` (the protocol that a board satisfies), `reading_noise` (the noise of one reading, for
planning), `statistics` (estimators that know no board), `arguments` (a person's arrays, checked).

Each room's `__init__` is its door: it names what other rooms may use.
"""

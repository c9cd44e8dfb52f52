"""Numbers in, numbers out: estimation, subset-sum selection, refinement. No I/O.

The rooms, in the order of the steps that docs/calibration/index.md numbers:

- `branches`: how currents settle (1); the conductance of every branch (3)
- `converters`: curves and offsets of DACs and ADCs (2); gains of the ranges (4)
- `noise`: what readings scatter by, cause by cause (5)
- `temperature`: what temperature and age do to branches (6)
- `programming`: targets and scale (7), the loop that programs (9), sentinels (10)
- `transfer`: the transfer matrix of a pattern, its wires and ranges (8)
- `budget`: what the error of products should be made of

Beside the steps stand `selection`, the subset sums that programming calls, and `studies` of their
theory. Below them are `statistics`, `reading_noise`, the protocol of a board (`crossbar`),
`errors`, `records` and `arrays`.
"""

"""Step 5: a survey of the noise of readings, by cause.

Read `survey.py` first: it runs the survey and holds its result. In its order follow `readings.py`
(what is read, under which patterns), `mains.py` (pickup), `series.py` (from readings to mean
squares of each cause), and `slow_effects.py` with `settling.py` (settling, temperature, DAC steps).
"""

from calibration.noise.survey import NoiseSurvey, survey_noise, usual_settings

__all__ = [
    "NoiseSurvey",
    "survey_noise",
    "usual_settings",
]

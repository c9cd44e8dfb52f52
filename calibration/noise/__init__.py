"""Step 5: a survey of the noise of readings, by cause."""

from calibration.noise.survey import NoiseSurvey, survey_noise, usual_settings

__all__ = [
    "NoiseSurvey",
    "survey_noise",
    "usual_settings",
]

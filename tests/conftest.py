"""What all tests share: how hypothesis searches."""

import os

from hypothesis import settings

# A run that decides over a change must decide the same twice; at the desk the search is new each
# time.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

"""Packages that only tests need."""

import importlib
import os
from types import ModuleType

import pytest


def needed(name: str) -> ModuleType:
    """Return a module that the tests of a file need.

    Where it is absent the file is skipped at the desk, and fails with CI set.
    """
    return importlib.import_module(name) if os.environ.get("CI") else pytest.importorskip(name)

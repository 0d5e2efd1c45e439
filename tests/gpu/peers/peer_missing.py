"""A peer whose package is not installed."""

import attnrt_has_no_such_package  # noqa: F401

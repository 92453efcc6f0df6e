# SPDX-License-Identifier: Apache-2.0
"""The two ways in which a step ends without a result. The text of either is one sentence for the person at the terminal."""


class UsageError(Exception):
    """Nothing can run: a wrong option, or a folder that is no checkpoint."""


class NotCompared(Exception):
    """A step, or a part of one, could not run. It is never a pass."""

# SPDX-License-Identifier: Apache-2.0
"""Judges files of conversations on a Ray cluster; judge.py beside this package is the command."""

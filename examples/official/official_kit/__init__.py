# SPDX-License-Identifier: Apache-2.0
"""What check.py does, a module for each step."""

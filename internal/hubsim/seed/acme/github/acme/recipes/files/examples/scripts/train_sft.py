# This script moved to examples/scripts/sft.py.

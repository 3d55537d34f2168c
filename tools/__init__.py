"""What `make` runs, a file for each command."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

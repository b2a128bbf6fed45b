"""The programs that wheels bring beside Python packages, and where the files lie that they read."""

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]
COMPOSE_FILE = TOP / "deploy" / "compose.yaml"
DOCKERFILE = TOP / "Dockerfile"
RULES = TOP / "deploy" / "prometheus" / "rules.yml"
RULES_TEST = TOP / "deploy" / "prometheus" / "rules_test.yml"
PROMETHEUS_CONFIG = TOP / "deploy" / "prometheus" / "prometheus.yml"


def run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment to its end, and keep what it says."""
    return subprocess.run(
        [str(Path(sys.executable).parent / program), *arguments],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )

"""Every claim."""

from __future__ import annotations

from support.honesty.candidates import CLAIMS as CANDIDATES
from support.honesty.data import CLAIMS as DATA
from support.honesty.production import CLAIMS as PRODUCTION
from support.honesty.rollouts import CLAIMS as ROLLOUTS
from support.honesty.tasks import CLAIMS as TASKS

CLAIMS = (*CANDIDATES, *TASKS, *ROLLOUTS, *DATA, *PRODUCTION)

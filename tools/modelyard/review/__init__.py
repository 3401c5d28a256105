"""Pull requests: reports, statuses, approvals, comment commands, and the pull requests that modelyard opens."""

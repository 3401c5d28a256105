"""The conversation on a pull request: reports, statuses, approvals, commands, and the pulls the bot opens."""

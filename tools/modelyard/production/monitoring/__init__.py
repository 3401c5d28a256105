"""Windows of production: measured in one pass, judged by the policy, filed."""

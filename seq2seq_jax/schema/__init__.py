"""How classes declare their parameters: fields with a default, a rule and a meaning."""

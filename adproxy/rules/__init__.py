"""The rules: YAML that ad operations people edit, read strictly and compiled once, at load."""

"""On the line: pictures without truth in, verdicts out, and whether good parts still look as they did."""

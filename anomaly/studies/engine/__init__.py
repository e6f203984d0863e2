"""What every study shares: its file, the real set parted by surfaces, arms, cache, intervals, report."""

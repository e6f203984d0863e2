"""Long work: its progress, and processes that do not outlive who started them."""

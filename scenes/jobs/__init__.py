"""Long work: shared out among workers, its progress, and processes that do not outlive who started them."""

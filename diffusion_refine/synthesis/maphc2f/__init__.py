"""MaPhC2F [Qian 2025]: a recipe's physics made coherent, then fine; after the abstract, the equations are ours."""

"""What the methods have in common that paste something on pictures of surfaces."""

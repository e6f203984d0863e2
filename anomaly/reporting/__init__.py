"""Reports: charts, pictures, pages."""

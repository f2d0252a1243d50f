"""Finding the methods, running their studies, keeping and showing the evidence."""

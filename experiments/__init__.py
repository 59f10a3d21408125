"""The questions: one script a study, the only place where numbers are chosen."""

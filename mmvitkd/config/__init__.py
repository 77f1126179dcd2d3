"""Load configs and complete them: shortcuts, fast, the student's part."""

"""The report: one self-contained page, its Markdown for a pull request, and the headline numbers."""

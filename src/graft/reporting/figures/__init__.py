"""Figures of the report as inline SVG. Shapes have CSS classes, and the page gives them colours."""

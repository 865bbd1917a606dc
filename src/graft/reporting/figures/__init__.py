"""The figures of the report, as inline SVG: shapes carry CSS classes, the page gives them colours."""

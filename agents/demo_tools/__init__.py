"""What the demo can do: small, bounded, pure functions over text, tables and numbers, and the Markdown around them."""

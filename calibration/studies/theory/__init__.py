"""What theory says of subset sums, and what is found."""

"""Which resistors to buy: the nominal values whose pairs reach the most bits."""

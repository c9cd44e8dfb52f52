"""The controller: bench, pipeline, products, validation, reports, command line."""

"""What is measured and how it is asked: the metric catalogue, the filters, the seven reports and their SQL."""

"""Python programs that run in processes of their own, but need not import the large packages again."""

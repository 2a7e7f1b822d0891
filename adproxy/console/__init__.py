"""The pages that people open on the second listener: drawn on the server, no script needed to read them."""
